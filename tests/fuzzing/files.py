"""Files that others wrote: policies, flow files, journals, notes."""

from __future__ import annotations

import io
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import orjson
from mitmproxy.io import tnetstring

from phigate.exchange import Subject
from phigate.host.recordings.flowfile import NoFlow, flows
from phigate.host.recordings.recorded import recorded
from phigate.journal import chain, note, read, recover, zst
from phigate.journal.disk import JournalFault
from phigate.journal.head import Head
from phigate.policy.decide import Deny, Hold, Permit, PromptFacts, decide
from phigate.policy.load import PolicyFaults, parse_policy
from tests import policies
from tests.fuzzing.target import Target, hold
from tests.journal import proving
from tests.journal.samples import NOW

# -- policies -------------------------------------------------------------------------------------------------------


def policy(data: bytes) -> None:
    try:
        made = parse_policy(data, "p", Path("/nowhere"))
    except PolicyFaults as refused:
        hold(refused.faults, "no policy, and nobody says why")
        for fault in refused.faults:
            hold(fault.startswith("p:") and fault.isprintable(), "a fault that cannot be shown on a line")
        return
    hold((made.rules and made.issuers) or made.saml, "a policy with nothing in it")
    roles = frozenset(made.roles)
    for who in (
        Subject("https://idp.example", "x", (), roles, 2e9),
        Subject("https://idp.example", "x", (), frozenset(), 2e9),
    ):
        for action in ("chat", "unmask", "manage-models"):
            decision = decide(made, who, frozenset({action}), "ward-assistant", PromptFacts(), (), 1.8e9)
            hold(isinstance(decision, Permit | Hold | Deny), "a decision that is none")


def policy_files() -> list[bytes]:
    more = (
        "{name: a, hold: [clinician], to: [unmask], models: ['*'], approvers: [officer], mask: reveal}",
        "{name: no, deny: ['*'], to: [chat], when: {prompt_matches: ['(?i)all patients']}, message: Ask us.}",
        "{name: er, break_glass: [clinician], to: [chat], models: ['*'], mask: reveal, review_by: [officer]}",
    )
    small = policies.text().encode()
    return [
        small,
        policies.text(*more).encode(),
        policies.SHIPPED.read_bytes(),
        b"a: [&x b, *x, !!c d]\n---\n",
        b'? {a: b}\n: "\\UFFFFFFFF"',
    ]


# -- flow files -----------------------------------------------------------------------------------------------------


def flow(data: bytes) -> None:
    for found in flows(io.BytesIO(data)):
        if isinstance(found, NoFlow):
            hold(str(found).replace("-", "").isalpha(), "a reason that holds something of the file")
            continue
        with suppress(NoFlow):
            recorded(found)
        with suppress(ValueError, OverflowError):  # numbers that the other writes otherwise
            hold(
                list(flows(io.BytesIO(tnetstring.dumps(found)))) == [found] or _odd(found), "written and read otherwise"
            )


def _odd(value: Any) -> bool:
    """Whether a value holds a number that is not equal to itself."""
    if isinstance(value, dict):
        return any(map(_odd, value.values()))
    return any(map(_odd, value)) if isinstance(value, list) else value != value  # noqa: PLR0124 -- that is the question


def flow_files() -> list[bytes]:
    kept = {
        "v": 1,
        "made": "live",
        "time": 1.5e9,
        "request": {"exchange": "e"},
        "response": None,
        "messages": [{"from": "caller"}],
    }
    request = {"method": b"POST", "content": b"{}", "headers": [[b"a", b"b"]]}
    said = [[1, True, b"a", 1.5, False]]
    state = {
        "type": "http",
        "request": request,
        "metadata": {"phigate": kept},
        "websocket": {"messages": said},
        "error": None,
    }
    return [tnetstring.dumps(state), tnetstring.dumps({"type": "http"}) * 2, b"3:1:a,}", b"5:3:inf^]", b"0:}"]


# -- journals -------------------------------------------------------------------------------------------------------

NAME = "gw-1-20261123T150405Z-0.jsonl"


@cache
def _folder() -> Path:
    """A place for one file; it goes with the process."""
    made = tempfile.TemporaryDirectory(prefix="phigate-fuzz-")
    _KEPT.append(made)
    return Path(made.name)


_KEPT: list[tempfile.TemporaryDirectory[str]] = []


def journal(data: bytes) -> None:
    """0: a file's bytes; 1: a compressed one; 2: fields of records, a line each, chained as is right; 3: notes."""
    mode, rest = data[:1], data[1:]
    if mode == b"3":
        _notes(rest)
        return
    raw = _chained(rest) if mode == b"2" else rest
    path = _folder() / (NAME + zst.SUFFIX * (mode == b"1"))
    path.write_bytes(raw)
    try:
        _journal(path, raw)
    finally:
        path.unlink()


def _journal(path: Path, raw: bytes) -> None:
    items = list(read.entries(path))
    for item in items:
        hold(isinstance(item, read.Entry | read.Flaw), "neither a record nor a flaw")
    kept = list(read.whole_lines(path))
    hold(path.suffix == zst.SUFFIX or b"".join(kept) == raw, "lines that are not all there")
    verdict = chain.verify_lines(kept)
    with suppress(JournalFault):
        left = recover.legacy(read.files(path.parent))
        hold(left.head.seq >= 0 and len(left.head.last) == 64, "nowhere to go on")
        recover.rest_of(path.parent, left.head)
        hold(path.suffix == zst.SUFFIX or verdict.records == left.head.seq, "taken for whole by one reader only")
    recover.legacy([], read.files(path.parent))  # put aside for its damage, it still counts
    recover.rest_of(path.parent, Head(1, chain.ZEROS, NAME, 3))
    if path.suffix != zst.SUFFIX:
        made = proving.Made({path.name: raw}, keys=[note.vkey_of("phigate/gw-1", proving.KEY)])
        proving.findings(made)


def _chained(data: bytes) -> bytes:
    """Records of these fields; what is no JSON stands as it is."""
    prev, out = chain.ZEROS, b""
    for seq, line in enumerate(data.split(b"\n")):
        try:
            fields = orjson.loads(line)
            kind = fields.pop("kind")
            raw = chain.line_of(seq=seq, prev=prev, now=NOW, instance="gw-1", kind=kind, fields=fields)
        except (ValueError, TypeError, KeyError, AttributeError, chain.Unrecordable):
            raw = line + b"\n"
        prev, out = chain.digest(raw), out + raw
    return out


def _notes(data: bytes) -> None:
    parts = list(note.pieces(data))
    hold(b"".join(each.raw for each in parts) == data, "pieces that are not all there")
    with suppress(note.NoteFault):
        note.parse_vkey(data.decode("latin-1"))
    for each in (data, *(part.raw for part in parts if part.whole)):
        with suppress(note.NoteFault):
            found = note.parse(each)
            hold(not note.holds(found, note.vkey_of("other", proving.OTHER)), "a note that nobody signed")
            point = note.parse_checkpoint(found.text)
            hold(point.text() == found.text, "a checkpoint that is written otherwise")


def journals() -> list[bytes]:
    made = proving.sample()
    first = made.files[made.journals[0]]
    fields = [orjson.loads(line) for line in first.splitlines()]
    bare = [
        orjson.dumps({name: value for name, value in each.items() if name not in chain.ENVELOPE or name == "kind"})
        for each in fields
    ]
    opened = {"kind": "opened", "file": NAME, "follows": None, "tree": [], "open": {}}
    more = [
        opened,
        {"kind": "request", "exchange": "a", "decision": {"verb": "permit"}},
        {"kind": "response", "exchange": "a"},
    ]
    notes = [raw for name, raw in made.files.items() if name not in made.journals]
    return [
        b"0" + first[:1500],
        b"1" + b"".join(zst.packed([first])),
        b"2" + b"\n".join(bare[:4]),
        b"2" + b"\n".join(map(orjson.dumps, more)),
        *(b"3" + raw for raw in notes[:2]),
        b"3" + str(note.vkey_of("phigate/gw-1", proving.KEY)).encode(),
    ]


POLICY = Target(
    policy,
    policy_files,
    (
        *(
            b"permit: ",
            b"hold: ",
            b"deny: ",
            b"break_glass: ",
            b"to: [chat]",
            b"models: ['*']",
            b"mask: ",
            b"grant: {",
            b"for: PT1H",
        ),
        *(
            b"approvers: ",
            b"when: {",
            b"prompt_matches: ",
            b"hours: ",
            b"limits: ",
            b"capture: {",
            b"routes:\n",
            b"saml:\n",
            b"roster: ",
        ),
        *(
            b"&a ",
            b"*a",
            b"!!str ",
            b"? ",
            b"- ",
            b"|\n",
            b">-\n",
            b"---\n",
            b"...\n",
            b"<<: ",
            b"%YAML 1.2\n",
            b"\xef\xbb\xbf",
            b"\t",
        ),
    ),
    8192,
)
FLOW = Target(
    flow,
    flow_files,
    (b"0:}", b"0:]", b"4:true!", b"0:~", b"1:1#", b"3:inf^", b"8:metadata;", b"7:phigate;", b"1:v;1:1#"),
    1024,
)
JOURNAL = Target(
    journal,
    journals,
    (
        *(
            b'"kind":"opened"',
            b'"kind":"request"',
            b'"kind":"response"',
            b'"kind":"recovered"',
            b'"kind":"closed"',
            b'"kind":"prune"',
        ),
        *(
            b'"follows":{',
            b'"tree":[',
            b'"open":{',
            b'"exchange":',
            b'"decision":{"verb":"permit"}',
            b'"lost":',
            b'"file":',
            b'"hash":',
        ),
        *(
            b"\n",
            b"\xe2\x80\x94 ",
            b"phigate/gw-1",
            b"null",
            b'"prev":',
            b'"seq":',
            b'"key":',
            b"\x28\xb5\x2f\xfd",
            b"18446744073709551615",
        ),
    ),
)

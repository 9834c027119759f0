"""A journal with every kind of record, all of it invented, for those who read journals."""

from __future__ import annotations

import re
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from phigate.audit.export.happenings import EXCHANGE
from phigate.audit.export.write import Question
from phigate.audit.index.database import open_index
from phigate.audit.index.exchanges import Wanted
from tests.journal.samples import ASKED, NOW, POLICY, Clock, chained, put

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from phigate.audit.export.happenings import Happening
    from phigate.audit.index.database import Index
    from phigate.journal import chain

MRN = "MRN:" + "1a" * 16
NAME = "PERSON:" + "2b" * 16
DAY = "DATE_TIME:" + "3c" * 16
ADA = {"issuer": "https://idp.example/realms/clinical", "id": "ada", "roles": ["clinician"], "groups": ["ward-staff"]}
EVE = {"issuer": "https://idp.example/realms/clinical", "id": "eve", "roles": ["privacy-officer"], "groups": []}
CLIENT = {"ip": "192.0.2.7", "agent": "openai/1"}
FORMULA = '=cmd|" /C calc"!A0'
NASTY = "a\x1b[31mred\u202eback\x07 \u2028line\x7f\x9b"
"""What a caller may call themselves."""


def request(exchange: str, **changes: Any) -> dict[str, Any]:
    said = {
        "exchange": exchange,
        "session": "s-1",
        "subject": ADA,
        "client": CLIENT,
        "action": ["chat"],
        "model": "ward-assistant",
        "dialect": "openai",
        "method": "POST",
        "route": "chat-completions",
        "purpose": "treatment",
        "decision": decision("permit", "clinicians-chat"),
        "policy": POLICY,
        "findings": {"PERSON": 1, "MRN": 2},
        "identifiers": [MRN, NAME],
        "revealed": [MRN],
        "bytes": 311,
        "body": ASKED,
    }
    return said | changes


def decision(verb: str, rule: str | None, reason: str | None = None, **more: Any) -> dict[str, Any]:
    rules = [rule] if rule else []
    return {"verb": verb, "rule": rule, "rules": rules, "reason": reason, "ticket": None, "grant": None} | more


def response(exchange: str, **changes: Any) -> dict[str, Any]:
    said = {
        "exchange": exchange,
        "status": 200,
        "outcome": "complete",
        "findings": {"PERSON": 1, "DATE_TIME": 3},
        "identifiers": [NAME, DAY],
        "revealed": [],
        "mask": "minimum-necessary",
        "streamed": True,
        "usage": {"input": 120, "output": 48},
        "seconds": {"total": 1.25, "first": 0.4, "upstream": 1.2, "gateway": 0.05},
        "body": {"choices": [{"message": {"role": "assistant", "content": "[PERSON] is well."}}]},
    }
    return said | changes


ROWS: list[tuple[chain.Kind, Any]] = [
    (
        "opened",
        {"software": "0.1.0", "file": "gw-20261123T150405Z-0.jsonl", "follows": None, "open": {}, "started": True},
    ),
    ("policy", {"policy": POLICY, "was": None, "accepted": True, "faults": []}),
    ("request", request("permitted")),
    ("response", response("permitted")),
    (
        "request",
        request("revealing", decision=decision("permit", "see-identifiers", grant="g-1"), action=["chat", "unmask"]),
    ),
    ("response", response("revealing", identifiers=[NAME, MRN, DAY], revealed=[NAME, MRN, DAY], mask="reveal")),
    ("request", request("denied", decision=decision("deny", None, "no-rule"), revealed=[])),
    (
        "hold",
        request("held", decision=decision("hold", "see-identifiers", "approval-required", ticket="t-1"), revealed=[]),
    ),
    (
        "ticket",
        {"ticket": "t-1", "exchange": "held", "subject": EVE, "decision": "approve", "reason": "for the ward round"},
    ),
    ("grant", {"grant": "g-1", "subject": EVE, "rule": "see-identifiers", "until": "2026-11-23T16:00:00Z"}),
    ("request", request("broken-glass", decision=decision("break_glass", "emergency"), purpose="emergency")),
    ("response", response("broken-glass", identifiers=[MRN], revealed=[MRN])),
    (
        "break-glass",
        {"exchange": "broken-glass", "subject": ADA, "reason": "unconscious patient", "review_by": ["privacy-officer"]},
    ),
    ("notice", {"webhook": "pager", "event": "break_glass.used", "exchange": "broken-glass", "outcome": "sent"}),
    ("review", {"exchange": "broken-glass", "subject": EVE, "decision": "approve", "reason": "justified"}),
    (
        "deployment",
        {"subject": ADA, "model": "ward", "deployment": {"id": "d-1", "version": "2.1", "digest": "9f"}},
    ),
    ("request", request("lost")),
    ("recovered", {"exchange": "lost", "outcome": "interrupted", "file": "gw-20261123T150405Z-0.jsonl"}),
    ("recovered", {"files": [{"file": "gw-20261122T150405Z-0.jsonl", "torn": 17}], "interrupted": 1}),
    ("request", request("broke", subject=EVE, model=FORMULA, client={"ip": "not an address", "agent": NASTY})),
    ("response", response("broke", outcome="upstream-broke", status=502, usage={}, identifiers=[], findings={})),
    ("request", request("socket", dialect="realtime", route="realtime")),
    ("message", {"exchange": "socket", "from": "caller", "refused": None, "findings": {}, "bytes": 9, "body": "hello"}),
    ("part", {"exchange": "socket", "part": 0, "side": "model", "body": "[PERSON]"}),
    ("response", response("socket", outcome="client-left", status=101)),
    (
        "request",
        request(
            "managed", action=["manage-models"], method="DELETE", purpose="operations", findings={}, identifiers=[]
        ),
    ),
    ("response", response("managed", findings={}, identifiers=[])),
    ("request", request("listed", action=["list-models"], method="GET", model=None, findings={}, identifiers=[])),
    ("response", response("listed", findings={}, identifiers=[])),
    ("request", request("open")),
    (
        "refused",
        {"client": {"ip": "203.0.113.9"}, "minute": "2026-11-23T15:04Z", "count": 4, "reasons": {"expired": 4}},
    ),
    ("refused", {"client": {"ip": "others"}, "minute": "2026-11-23T15:04Z", "count": 9, "reasons": {"malformed": 9}}),
    (
        "token",
        {
            "subject": ADA,
            "client": CLIENT,
            "grant": "exchange",
            "decision": "permit",
            "reason": None,
            "jti": "j-1",
            "expires": 1.8e9,
            "scope": "model:ward-assistant",
            "uses": None,
            "bound": [],
        },
    ),
    (
        "token",
        {
            "subject": None,
            "client": CLIENT,
            "grant": "exchange",
            "decision": "deny",
            "reason": "expired",
            "jti": None,
            "expires": None,
            "scope": None,
            "uses": None,
            "bound": [],
        },
    ),
    (
        "revocation",
        {
            "subject": EVE,
            "client": CLIENT,
            "revoked": {"issuer": ADA["issuer"], "subject": "ada", "jti": None, "cut": 1.7e9},
            "reason": "left",
        },
    ),
    (
        "policy",
        {"policy": "cd" * 32, "was": POLICY, "accepted": False, "faults": ["policy.yaml:3: rules: unknown key"]},
    ),
    ("anchor", {"anchor": "https", "where": "https witness.example", "size": 30, "root": "ef" * 32}),
    ("clock", {"step": -3600.0, "was": "2026-11-23T16:04:05.000Z"}),
    ("prune", {"files": [{"file": "gw-20201123T150405Z-0.jsonl", "size": 12, "root": "ab" * 32}]}),
    ("closed", {"reason": "shutdown"}),
]
LOOKS: list[tuple[chain.Kind, Any]] = [
    ("opened", {"software": "0.1.0", "file": "host.cli-20261123T160000Z-0.jsonl", "follows": None, "started": True}),
    (
        "look",
        {
            "command": "who-saw",
            "about": {"identifiers": [MRN]},
            "reason": "complaint 12",
            "by": {"login": "root", "uid": 0, "host": "gw-1"},
        },
    ),
    (
        "look",
        {"command": "exchanges", "subject": EVE, "client": CLIENT, "about": {"exchange": "permitted"}, "reason": None},
    ),
]


def journal(folder: Path) -> Path:
    """Every kind of record, in a gateway's file and in one of a command line."""
    if not [*folder.glob("*.jsonl")]:
        put(folder, "gw-20261123T150405Z-0", *ROWS)
        lines = chained(LOOKS, clock=Clock(NOW + timedelta(hours=1)))
        own = b"".join(line.replace(b'"instance":"gw"', b'"instance":"host.cli"') for line in lines)
        (folder / "host.cli-20261123T160000Z-0.jsonl").write_bytes(own)
    return folder


@contextmanager
def asked(folder: Path) -> Iterator[Index]:
    """The index of such a journal."""
    with open_index(journal(folder)) as index:
        yield index


def happenings(folder: Path, **wanted: Any) -> list[Happening]:
    """All that happened in such a journal."""
    with asked(folder) as index:
        return list(Question(Wanted(**wanted)).happenings(index))


DOCS = Path(__file__).parents[3] / "docs" / "exports.md"


def documented(heading: str) -> Any:
    """The example that the page on exports shows under a heading."""
    section = DOCS.read_text().partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    (example,) = re.findall(r"```json\n(.*?)```", section, re.DOTALL)
    return orjson.loads(example)


def named(found: Iterable[Happening], exchange: str) -> Happening:
    (one,) = (each for each in found if each.kind == EXCHANGE and each.row["exchange"] == exchange)
    return one


def strings(value: Any) -> Iterator[str]:
    """Every text in a tree, names of members too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, member in value.items():
            yield name
            yield from strings(member)
    elif isinstance(value, list):
        for member in value:
            yield from strings(member)


def empties(value: Any) -> Iterator[Any]:
    """Every member that says nothing."""
    members = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for member in members:
        if member is None or member in ("", [], {}):
            yield member
        yield from empties(member)

"""A canary of every kind of identifier goes through every route, refusal and fault; then every sink is searched.

The routes are those of the tables: each channel that `phigate conformance` knows, with canaries in prompt and answer,
and each route of every dialect with a body that suits none and one that suits most. What may hold a canary is the model
server, and the answer of a rule that reveals; all else that the gateway writes, says or shows is looked through.
"""

import base64
import contextlib
import re
import sys
import time
from itertools import product
from pathlib import Path
from urllib.parse import quote, quote_plus

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from model_server import Answer, ModelServer
from people import policy_for
from phigate.policy.verdict import CHANGES
from phigate.policy.words import ACTIONS, ENTITIES
from tests.grpc_peer import Peer
from tests.live.canaries.gateway import Client, Faulty, Watched
from tests.live.canaries.traffic import (
    ask_as_the_tables_say,
    ask_every_route,
    be_refused,
    call,
    get_broken_answers,
    take_part,
    talk,
)
from tests.live.canaries.values import KINDS, PARTS, files, found, in_pieces
from tests.live.test_broken import HOOKS_BEFORE_THE_MODEL, HOOKS_BEHIND_IT, SENTINEL
from tests.receiver import Receiver
from tests.traffic import CHAT, chat, completion, events, records

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]

USUAL = "to: [chat, complete, embed]\n"
ALL = "to: [chat, complete, embed, transcribe, rank, predict, manage-models, list-models]\n"
LISTS = "  - name: everyone-lists-models\n"
RECORDINGS = (
    "  - {name: recordings, permit: [researcher], to: [transcribe], models: ['*'], mask: safe-harbor, opaque: permit}\n"
)
TAIL = """
limits:
  - {{roles: [ml-operator], requests: {{per: PT1H, most: 1}}}}
webhooks:
  - {{name: pager, url: '{pager}/hook', secret: env:PAGER_SECRET}}
  - {{name: channel, url: env:CHANNEL_URL, format: slack, prompt: true}}
routes:
  - {{name: triage, match: "POST /triage", action: predict, model: triage}}
  - {{name: tell, match: "POST /tell", action: predict, model: $.engine, answers: [json, sse], text: ["$.delta.note"]}}
  - {{name: plain, match: "POST /plain", action: predict, answers: text}}
"""
DISK = ("ENOSPC", "EIO", "fsync", "short")


# -- the searches ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def everybody(issuer):
    logins = ("dr.okafor", "sam.lindqvist", "priya.raman", "lee.castellano", "kai.holm")
    return {login: issuer.mint_for(login) for login in logins}


@pytest.fixture(scope="module")
def hooks():
    with Receiver() as pager, Receiver() as channel:
        yield pager, channel


@pytest.fixture(scope="module")
def open_policy(issuer, hooks, tmp_path_factory):
    """The default policy, in which clinicians may do everything, and people are told of it."""
    path = policy_for(issuer.url, tmp_path_factory.mktemp("open"))
    text = path.read_text().replace(USUAL, ALL).replace(LISTS, RECORDINGS + LISTS)
    path.write_text(text + TAIL.format(pager=hooks[0].url))
    return path


@pytest.fixture(scope="module")
def environment(hooks):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PAGER_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
        patch.setenv("CHANNEL_URL", f"{hooks[1].url}/services/T12/x")
        yield


@pytest.fixture(scope="module")
def sinks(everybody, hooks, open_policy, environment, tmp_path_factory):
    """What is left of all traffic, by where it is."""
    folder = tmp_path_factory.mktemp("canaries") / "run"
    with ModelServer() as model, Peer() as peer:
        with Watched(model, open_policy, folder, peer=peer) as gateway, contextlib.ExitStack() as stack:
            client = stack.enter_context(contextlib.closing(Client(gateway, model, everybody)))
            ask_as_the_tables_say(client)
            ask_every_route(client)
            odd = be_refused(client)
            get_broken_answers(client)
            called = call(client, peer)
            talk(client)
            revealed, console = take_part(client)
            shown = gateway.shown()
            metrics = httpx.get(f"{gateway.console_url}/metrics", trust_env=False).text
            arguments = Path(f"/proc/{gateway.pid}/cmdline").read_bytes() if sys.platform == "linux" else b""
            end = time.monotonic() + 10
            while not all(each.got for each in hooks) and time.monotonic() < end:
                time.sleep(0.05)
            records_of = records(gateway.journal)
            ledger = {f"{path}, in use": path.read_bytes() for path in folder.glob("ledger.db*")}
        told = b"\n".join(each.body for hook in hooks for each in hook.got)
        yield {
            "client": client,
            "odd": odd,
            "called": called,
            "model": model.received,
            "revealed": revealed,
            "console": console,
            "mitmweb": shown,
            "metrics": metrics,
            "webhooks": told,
            "arguments": arguments,
            "records": records_of,
            "files": ledger | files(folder),
            "folder": folder,
        }


@pytest.mark.parametrize("value", [value for values in KINDS.values() for value in values])
def test_a_canary_is_found_however_it_is_written(value):
    escaped = "".join(f"\\u{ord(letter):04X}" for letter in value)
    written = [value, value.upper(), escaped, quote(value, safe=""), quote_plus(value), value.encode().hex()]
    for lead, tail in product(range(7), range(4)):
        raw = b"\xff" * lead + value.encode() + b"\xff" * tail
        written += [base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).rstrip(b"=").decode()]
    assert [form for form in written if value not in found(b"x " + form.encode() + b" y")] == []
    assert found(b"Stable on furosemide 40 mg, seen at 10:30") == []


def test_the_canaries_are_of_every_kind_and_reach_the_model_and_whom_they_are_revealed_to(sinks):
    assert set("ABCDEFGHIJKLMNOPR") == set(KINDS)
    assert set(found(sinks["model"])) >= {value for values in KINDS.values() for value in values}
    for answer in sinks["revealed"]:
        assert answer.status_code == 200
        assert set(found(answer.content)) >= {value for values in KINDS.values() for value in values}


def test_what_was_refused_was(sinks):
    assert sinks["odd"] == []


def test_no_answer_holds_one(sinks):
    """Whole, in pieces, in header fields; of refusals, of upstream errors, over gRPC and WebSockets."""
    assert sinks["client"].leaks() == []
    statuses = [status for _, status, _, _ in sinks["client"].got]
    assert len([each for each in statuses if each == 200]) > 220
    assert {401, 403, 404, 405, 400, 413, 415, 429, 500, 502, 503} <= set(statuses)
    assert b"furosemide" in b"".join(sinks["called"])
    assert any(b"furosemide" in texts for what, _, _, texts in sinks["client"].got if what.startswith("websocket"))


@pytest.mark.parametrize("sink", ["console", "mitmweb", "webhooks", "arguments"])
def test_nobody_who_looks_on_is_shown_one(sinks, sink):
    assert found(sinks[sink]) == []
    assert b"[US_SSN]" in sinks[sink] or sink == "arguments"


KEPT = {"request", "response", "part", "message", "ticket", "grant", "break-glass", "notice", "look"}


def test_no_file_holds_one(sinks):
    """Journal, ledger with its log, `-w`, HAR, what was said on standard output and error, keys, temporary files."""
    held = sinks["files"]
    assert {path: leaks for path, raw in held.items() if (leaks := found(raw))} == {}
    names = {Path(path).name for path in held}
    assert {
        "ledger.db, in use",
        "ledger.db-wal, in use",
        "gateway.log",
        "ledger.db",
        "flows",
        "flows.har",
        "secrets",
    } <= names
    assert b"".join(raw for path, raw in held.items() if path.endswith(".jsonl")).count(b"[US_SSN]") > 400
    assert b"[US_SSN]" in held[str(sinks["folder"] / "flows")]
    assert b"[US_SSN]" in held[str(sinks["folder"] / "flows.har")]
    assert in_pieces(sinks["records"]) == []
    assert {record["kind"] for record in sinks["records"]} >= KEPT


def test_nobody_said_anything_twice_in_the_log(sinks):
    """No stray exception, and no crash, in all of this."""
    said = sinks["files"][str(sinks["folder"] / "gateway.log")].decode()
    assert [line for line in said.splitlines() if re.search(r"[Tt]raceback|crashed|unhandled|Addon error", line)] == []


def test_what_stands_in_a_command_line_is_no_secret(sinks):
    secret = sinks["files"][str(sinks["folder"] / "keys" / "secrets")].split()[-1]
    bearers = [bearer.encode() for bearer in sinks["client"].bearers.values()]
    everything = {**sinks["files"], "arguments": sinks["arguments"], "mitmweb": sinks["mitmweb"]}
    assert [path for path, raw in everything.items() if any(bearer in raw for bearer in bearers)] == []
    assert [path for path, raw in everything.items() if secret in raw and not path.endswith("/keys/secrets")] == []


PUBLIC = re.compile(r"^(tmp|gateway\.log|mitmproxy|mitmproxy/.*(-cert\.\w+|-dhparam\.pem))$")
"""What the test has made, and what mitmproxy makes for others to read: certificates without their keys."""


def test_every_file_is_its_owners_alone(sinks):
    started = [path for path in sinks["folder"].rglob("*") if not PUBLIC.search(str(path.relative_to(sinks["folder"])))]
    assert [str(path) for path in started if path.stat().st_mode & 0o077] == []
    assert len(started) > 10


LABELS = {
    "action": re.compile(r"unknown|(?:{0})(?:\+(?:{0}))*".format("|".join(map(re.escape, ACTIONS)))),
    "decision": re.compile("permit|hold|deny|break_glass"),
    "side": re.compile("prompt|answer"),
    "entity": re.compile("|".join([*ENTITIES, "OTHER"])),
    "change": re.compile("|".join(["same", "error", *CHANGES])),
    "webhook": re.compile("pager|channel"),
    "issuer": re.compile(r"http://127\.0\.0\.1:\d+"),
    "le": re.compile(r"[0-9.]+|\+Inf"),
}
"""What a label may say, whatever was asked. Others (`reason`, `why`, ...) are words that stand in the sources."""
WORD = re.compile(r"[a-z]{1,20}(?:-[a-z]{1,20}){0,4}")


def test_labels_of_metrics_are_from_closed_sets(sinks):
    samples = [sample for family in text_string_to_metric_families(sinks["metrics"]) for sample in family.samples]
    said = {(name, value) for sample in samples for name, value in sample.labels.items()}
    assert [pair for pair in said if pair[0] in LABELS and not LABELS[pair[0]].fullmatch(pair[1])] == []
    words = {value for name, value in said if name not in LABELS and value}
    assert len(words) > 10
    assert [word for word in words if not WORD.fullmatch(word)] == []
    sources = "\n".join(path.read_text() for path in (Path(__file__).parents[2] / "addons").rglob("*.py"))
    assert [word for word in words if f'"{word}"' not in sources] == []
    assert found(sinks["metrics"].encode()) == []


# -- faults ---------------------------------------------------------------------------------------------------------


def both_ways(client, what):
    """A permitted question and its answer, whole and streamed, and one that is held."""
    client.model.script = lambda asked: (
        Answer.events(events(PARTS[1])) if b"true" in asked.body else Answer(completion(PARTS[2]))
    )
    got = [client.ask(what, "POST", CHAT, json=chat(PARTS[at], stream=bool(at)), framing="sse") for at in (0, 1)]
    return [*got, client.ask(what, "POST", CHAT, json=chat(PARTS[0]), headers={"phi-unmask": PARTS[1]})]


@pytest.fixture(scope="module")
def left(everybody, open_policy, environment, tmp_path_factory):
    """What is left of exchanges in which something broke: a hook of each room, the disk, the ledger."""
    folder = tmp_path_factory.mktemp("faults") / "run"
    seen = {}
    with ModelServer() as model, Faulty(model, open_policy, folder) as gateway:
        with contextlib.closing(Client(gateway, model, everybody)) as client:
            seen["nothing"] = both_ways(client, "nothing")
            for name in (*HOOKS_BEFORE_THE_MODEL, *HOOKS_BEHIND_IT, *SENTINEL):
                gateway.break_(name)
                seen[name] = both_ways(client, name)
            gateway.break_("")
            for fault in DISK:
                gateway.disk.write_text(fault)
                seen[fault] = both_ways(client, fault)
                gateway.disk.write_text("")
                gateway.wait_until(lambda: client.ask("afterwards", "POST", CHAT, json=chat()) == 200)
            (folder / "ledger.db").rename(folder / "elsewhere.db")
            seen["ledger"] = both_ways(client, "ledger")
            (folder / "elsewhere.db").rename(folder / "ledger.db")
            shown = gateway.shown()
        gateway.stop()
    return {"client": client, "seen": seen, "shown": shown, "files": files(folder)}


def test_what_breaks_shows_none(left):
    assert left["client"].leaks() == []
    assert found(left["shown"]) == []
    assert {path: leaks for path, raw in left["files"].items() if (leaks := found(raw))} == {}
    said = b"".join(raw for path, raw in left["files"].items() if path.endswith("gateway.log"))
    assert said.count(b"BrokenError at ") > 20
    assert b"said by an exception" not in said


def test_what_breaks_was_broken(left):
    """Without a fault two answers and a ticket; a broken disk and ledger refuse."""
    seen = left["seen"]
    assert seen["nothing"] == [200, 200, 403]
    assert [fault for fault in DISK if seen[fault][0] != 503] == []
    assert seen["ledger"][2] == 503

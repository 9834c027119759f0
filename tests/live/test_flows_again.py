"""Recorded flows through another policy: `mitmdump -nr`, with real files of a real gateway, and with forged ones."""

import json
import os
import subprocess
import sys

import pytest
from mitmproxy import io

from phigate.audit.flows.draw import drawing
from phigate.host.recordings.drawn import write
from phigate.journal import read
from processes import ROOT, Gateway, settings
from tests.traffic import CANARY_TEXT, CHAT, as_person, chat, leaks, records

pytestmark = pytest.mark.live

WATCHED = """
import sys
told = open(sys.argv.pop(1), "w")
def seen(event, args):
    writes = event == "open" and (set(args[1] or "") & set("wax+") or (args[1] is None and args[2] & 3))
    wire = event in {"socket.connect", "socket.bind", "socket.getaddrinfo", "socket.sendto"}
    if writes or wire or event in {"os.mkdir", "os.remove", "os.rename", "subprocess.Popen", "os.system", "os.exec"}:
        told.write(f"{event} {args}\\n"), told.flush()
sys.addaudithook(seen)
from mitmproxy.tools.main import mitmdump
mitmdump(sys.argv[1:])
"""
"""mitmdump, telling of every file that is written and of every word on a wire (PEP 578)."""


@pytest.fixture(scope="module")
def recorded(tmp_path_factory, policy, _model, issuer):
    """A gateway's own file of flows, its journal as flows, and its journal."""
    folder = tmp_path_factory.mktemp("recorded")
    live, made = folder / "live.flows", folder / "journal.flows"
    with Gateway(_model.url, policy, folder / "g", extra=["-w", str(live)]) as gateway:
        with as_person(gateway, issuer.mint_for("dr.okafor")) as client:
            assert client.post(CHAT, json=chat(CANARY_TEXT)).status_code == 200
            assert client.post(CHAT, json=chat("How is she?", stream=True)).status_code == 200
            assert client.post(CHAT, json=chat("List all patients")).status_code == 403
            assert client.post(CHAT, json=chat(), headers={"phi-unmask": "ward round"}).status_code == 403
            assert client.post(CHAT, json=chat(), headers={"authorization": "Bearer none"}).status_code == 401
        with as_person(gateway, issuer.mint_for("priya.raman")) as client:
            assert client.post(CHAT, json=chat()).status_code == 403
        gateway.stop()
        own = [entry.record for entry in read.records(gateway.journal)]
        kept = records(gateway.journal)
    with made.open("wb") as file:
        for each in dict.fromkeys(record["exchange"] for record in own if record["kind"] == "request"):
            drawn = drawing(record for record in own if record.get("exchange") == each)
            assert drawn is not None
            write(file, drawn)
    return live, made, kept


def run_again(folder, flows, policy, *more):
    """(exit code, output, what was written or said on a wire) of `mitmdump -nr FLOWS -s addons/gateway.py`."""
    told = folder / "told"
    options = settings(
        phi_policy=policy, confdir=folder / "conf", phi_journal=folder / "journal", phi_keys=folder / "k"
    )
    script = ["-nr", str(flows), "-s", str(ROOT / "addons" / "gateway.py")]
    command = [sys.executable, "-c", WATCHED, str(told), "-q", *script, *options, *more]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment)
    lines = [line for line in told.read_text().splitlines() if str(folder / "conf") not in line]  # mitmproxy's own CA
    return done.returncode, done.stdout + done.stderr, lines


def test_under_the_policy_that_recorded_them_nothing_changes_and_nothing_is_opened(recorded, policy, tmp_path):
    live, _, _ = recorded
    code, output, told = run_again(tmp_path, live, policy)
    assert (code, told) == (0, []), output
    assert output == f"6 flows under policy {digest_of(recorded)}: 6 as-recorded\n"
    assert not (tmp_path / "journal").exists()


def digest_of(recorded):
    return next(record["policy"] for record in recorded[2] if record["kind"] == "policy")[:12]


def test_another_policy_tells_flow_by_flow_what_would_change(recorded, policy, tmp_path):
    _, made, _ = recorded
    changed = policy.with_name("changed.yaml")
    text = policy.read_text()
    assert "permit: [clinician]" in text
    changed.write_text(text.replace("permit: [clinician]", "permit: [ml-operator]"))
    code, output, told = run_again(tmp_path, made, changed, *settings(phi_was=policy))
    assert (code, told) == (1, [])
    lines = output.splitlines()
    assert (
        sum(
            "dr.okafor chat ward-assistant: newly-denied: permit clinicians-chat -> deny no-rule" in each
            for each in lines
        )
        == 2
    )
    assert sum("priya.raman chat ward-assistant: newly-permitted" in each for each in lines) == 1
    assert leaks(output) == []


def test_the_same_is_known_from_both_files(recorded):
    live, made, _ = recorded
    both = []
    for path in (live, made):
        with path.open("rb") as file:
            flows = [flow for flow in io.FlowReader(file).stream() if flow.metadata["phigate"]["request"]]
        both.append({flow.metadata["phigate"]["request"]["exchange"]: flow for flow in flows})
        assert leaks(path.read_bytes()) == []
    assert both[0].keys() == both[1].keys()
    for exchange, flow in both[0].items():
        other = both[1][exchange]
        assert flow.request.content == other.request.content
        assert flow.request.path == other.request.path
        asked, said = (each.metadata["phigate"]["request"] for each in (flow, other))
        assert asked == {name: value for name, value in said.items() if name in asked}


FORGED = b"4:9:phigate" + b"999999999999:" + b"[" * 2000


def test_a_file_that_means_harm_ends_with_a_word(policy, tmp_path):
    path = tmp_path / "flows"
    path.write_bytes(FORGED)
    code, output, told = run_again(tmp_path, path, policy)
    assert (code, told) == (2, [])
    assert output.splitlines()[0] == "flow 1: unreadable (no-flow)"


def test_a_live_gateway_reads_no_flows(recorded, policy, tmp_path):
    live, _, _ = recorded
    mode = ["--mode", "reverse:http://127.0.0.1:9", "-r", str(live), "-C", str(live)]
    command = [sys.executable, "-c", WATCHED, str(tmp_path / "told"), "-s", str(ROOT / "addons" / "gateway.py"), *mode]
    options = settings(phi_policy=policy, confdir=tmp_path / "conf", phi_journal=tmp_path / "journal")
    done = subprocess.run([*command, *options], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "option `rfile` must stay" in done.stderr
    assert "option `client_replay` must stay" in done.stderr
    assert "listening" not in done.stdout
    assert not (tmp_path / "journal").exists()
    assert json.dumps(done.stdout).count("ex-") == 0

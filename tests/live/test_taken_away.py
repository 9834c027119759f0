"""The gateway cannot be taken out of the data path: not at start, not by a reload, an option, a command or a mode."""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import httpx
import pytest

from model_server import Answer
from processes import MITMDUMP, ROOT, Gateway, free_port, settings
from tests.stage import places
from tests.traffic import CHAT, chat, completion, events, leaks, records, said

pytestmark = pytest.mark.live

GATEWAY = str(ROOT / "addons" / "gateway.py")


def started(folder, policy, *arguments, model_url="http://127.0.0.1:9", script=GATEWAY, **changed):
    """Run mitmdump until it ends by itself: (exit code, output)."""
    own = {
        "confdir": folder / "conf",
        "phi_policy": policy,
        **{f"phi_{name}": place for name, place in places(folder).items()},
        "phi_console": f"127.0.0.1:{free_port()}",
        "listen_port": free_port(),
    }
    options = settings(**(own | changed))
    modes = [] if "--mode" in arguments else ["--mode", f"reverse:{model_url}"]
    command = [MITMDUMP, "-s", script, *modes, *options, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, cwd=folder, check=False)
    return done.returncode, done.stdout + done.stderr


STARTS = [
    ("an option of ours twice", ["--set", "phi_url=", "--set", "phi_url=http://127.0.0.1:2"], "twice"),
    ("an address that is none", ["--set", "phi_url=ai.example"], "`phi_url`"),
    ("a regular proxy", ["--mode", "regular"], "mode `regular`"),
    ("a second mode", ["--mode", "reverse:http://127.0.0.1:9", "--mode", "socks5@0"], "mode `socks5@0`"),
    ("raw TCP", ["--mode", "reverse:tcp://127.0.0.1:9"], "reverse:tcp"),
    ("a second script", ["-s", "other.py"], "exactly one script"),
    ("ignored hosts", ["--ignore-hosts", ".*"], "`ignore_hosts`"),
    ("an upstream nobody verified", ["--ssl-insecure"], "`ssl_insecure`"),
    ("headers nobody validated", ["--set", "validate_inbound_headers=false"], "`validate_inbound_headers`"),
    ("a body changed behind us", ["--modify-body", "/a/b"], "`modify_body`"),
    ("another target behind us", ["--map-remote", "|a|b"], "`map_remote`"),
    ("an option that is misspelt", ["--set", "phi_polcy=other.yaml"], "no option `phi_polcy`"),
    ("replayed answers", ["--server-replay", "flows"], "server_replay"),
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "arguments", "said"), STARTS, ids=[case[0] for case in STARTS])
def test_a_start_that_leaves_a_way_past_exits_1(tmp_path, policy, sentence, arguments, said):
    (tmp_path / "other.py").write_text("addons = []\n")
    (tmp_path / "flows").write_bytes(b"")
    code, output = started(tmp_path, policy, *arguments)
    assert code == 1
    assert said in output
    assert "listening at" not in output


def test_a_bad_policy_exits_1_with_every_fault_before_a_port_opens(tmp_path, policy):
    bad = tmp_path / "policy.yaml"
    bad.write_text(
        policy.read_text().replace("mask: safe-harbor", "mask: no-such-mask").replace("version: 1", "version: 2")
    )
    code, output = started(tmp_path, bad)
    assert code == 1
    assert output.count(f"{bad}:") == 2
    assert "listening at" not in output


def test_no_policy_exits_1(tmp_path):
    code, output = started(tmp_path, tmp_path / "missing.yaml")
    assert code == 1
    assert "missing.yaml" in output
    assert "listening at" not in output


def test_a_console_that_cannot_listen_exits_1(tmp_path, policy):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        code, output = started(tmp_path, policy, phi_console=f"127.0.0.1:{taken.getsockname()[1]}")
    assert code == 1
    assert "phi_console" in output
    assert "listening at" not in output


def test_a_journal_that_cannot_be_written_exits_1(tmp_path, policy):
    (tmp_path / "journal").write_text("a file, no folder")
    code, output = started(tmp_path, policy)
    assert code == 1
    assert "journal" in output
    assert "listening at" not in output


def test_a_second_gateway_of_the_same_name_exits_1(tmp_path, policy, gateway):
    code, output = started(tmp_path, policy, phi_journal=gateway.journal, phi_instance="sample")
    assert code == 1
    assert "another process writes the journal" in output


def test_a_gateway_whose_rooms_cannot_be_loaded_exits_1(tmp_path, policy):
    copy = shutil.copytree(ROOT / "addons", tmp_path / "addons")
    (copy / "phigate" / "masking" / "addon.py").write_text("raise RuntimeError('broken')\n")
    code, output = started(tmp_path, policy, script=str(copy / "gateway.py"))
    assert code == 1
    assert "cannot be loaded" in output
    assert "listening at" not in output


@pytest.fixture
def own(tmp_path, policy, issuer, model, request):
    """A gateway of this test's own, loaded from a copy of `addons/` that may be broken."""
    copy = shutil.copytree(ROOT / "addons", tmp_path / "addons", ignore=shutil.ignore_patterns("__pycache__"))
    program = getattr(request, "param", MITMDUMP)
    with Gateway(model.url, policy, tmp_path / "run", script=copy / "gateway.py", program=program) as running:
        yield running


def script_of(gateway):
    return Path(gateway.command[gateway.command.index("-s") + 1])


def hammer(gateway, bearer, model, seconds=8.0):
    """Ask until the gateway is gone: what it answered, and whether the process ended."""
    got, end = [], time.monotonic() + seconds
    while gateway.code is None and time.monotonic() < end:
        try:
            got.append(
                httpx.post(
                    gateway.url + CHAT,
                    json=chat(),
                    headers={"authorization": f"Bearer {bearer}"},
                    trust_env=False,
                    timeout=2,
                ).content
            )
            got.append(httpx.post(gateway.url + CHAT, json=chat(), trust_env=False, timeout=2).content)
        except httpx.HTTPError:
            time.sleep(0.05)
    return got, gateway.code is not None


WAYS = [
    ("saved again", lambda script: script.write_text(script.read_text() + "\n")),
    ("saved with an error", lambda script: script.write_text("this is no Python")),
    ("saved empty", lambda script: script.write_text("")),
]


@pytest.mark.parametrize(("sentence", "way"), WAYS, ids=[way[0] for way in WAYS])
def test_a_changed_script_ends_the_process_and_never_leaves_a_plain_proxy(own, bearers, model, sentence, way):
    model.script = lambda _request: Answer(completion())
    time.sleep(1.1)  # the script's time of change is compared in whole ticks
    way(script_of(own))
    got, ended = hammer(own, bearers["dr.okafor"], model)
    assert ended
    assert leaks(b"".join(got)) == []
    permitted = [record for record in records(own.journal) if record["kind"] == "request"]
    assert len(model.requests) <= len(permitted)


def test_a_deleted_script_changes_nothing(own, bearers, model):
    """mitmproxy would unload it; the lock on its options stands before that."""
    model.script = lambda _request: Answer(completion())
    script_of(own).unlink()
    got, ended = hammer(own, bearers["dr.okafor"], model, seconds=3)
    assert not ended
    assert leaks(b"".join(got)) == []
    assert {b"bearer-missing" in answer for answer in got[1::2]} == {True}


def web(port, password="open-sesame"):
    return httpx.Client(
        base_url=f"http://127.0.0.1:{port}", headers={"authorization": f"Bearer {password}"}, trust_env=False
    )


@pytest.fixture
def web_gateway(tmp_path, policy, model):
    port = free_port()
    extra = ["--no-web-open-browser", *settings(web_port=port, web_password="open-sesame", web_host="127.0.0.1")]
    program = str(ROOT / MITMDUMP).replace("mitmdump", "mitmweb")
    with Gateway(model.url, policy, tmp_path / "web", program=program, extra=extra) as running, web(port) as browser:
        browser.headers["x-xsrftoken"] = "t" * 20
        browser.cookies.set("_mitmproxy_xsrf", "t" * 20)
        yield running, browser


OPTIONS: list[dict[str, object]] = [
    {"scripts": []},
    {"mode": ["regular"]},
    {"ignore_hosts": [".*"]},
    {"allow_hosts": ["x"]},
    {"server": False},
    {"rawtcp": True},
    {"websocket": False},
    {"stream_large_bodies": "1"},
    {"validate_inbound_headers": False},
    {"modify_body": ["/a/b"]},
    {"save_stream_file": "/tmp/never"},
    {"phi_policy": "/dev/null"},
    {"intercept": "~all"},
]
COMMANDS = [
    "script.run",
    "replay.client",
    "replay.server",
    "view.flows.load",
    "options.reset",
    "options.load",
    "inject.websocket",
    "flow.resume",
]


def test_mitmwebs_api_can_neither_unload_nor_open_the_gateway(web_gateway, bearers, model):
    gateway, browser = web_gateway
    headers = {"authorization": f"Bearer {bearers['dr.okafor']}"}
    model.script = lambda _request: Answer(completion())
    before = browser.get("/options").json()
    for option in OPTIONS:
        assert browser.put("/options", json=option).status_code >= 400, option
    for command in COMMANDS:
        answer = browser.post(f"/commands/{command}", json={"arguments": ["@all"]})
        assert answer.status_code >= 400 or "error" in answer.json(), command
    assert browser.post("/flows/dump", files={"file": ("flows", b"")}).status_code >= 200
    after = browser.get("/options").json()
    assert {name: before[name]["value"] for option in OPTIONS for name in option} == {
        name: after[name]["value"] for option in OPTIONS for name in option
    }
    assert httpx.post(gateway.url + CHAT, json=chat(), trust_env=False).status_code == 401
    answer = httpx.post(gateway.url + CHAT, json=chat(), headers=headers, trust_env=False)
    assert answer.status_code == 200
    assert leaks(answer.content) == []


def test_display_options_may_change(web_gateway):
    _, browser = web_gateway
    assert browser.put("/options", json={"view_order": "size"}).status_code == 200


def test_uploaded_and_replayed_flows_never_reach_the_model(web_gateway, bearers, model, tmp_path):
    gateway, browser = web_gateway
    headers = {"authorization": f"Bearer {bearers['dr.okafor']}"}
    assert httpx.post(gateway.url + CHAT, json=chat(), headers=headers, trust_env=False).status_code == 200
    dump = browser.get("/flows/dump").content
    assert dump
    flow = browser.get("/flows").json()[0]["id"]
    before = len(model.requests)
    browser.post("/flows/dump", files={"file": ("flows", dump)})
    browser.post(f"/flows/{flow}/replay")
    time.sleep(0.5)
    assert len(model.requests) == before
    assert httpx.post(gateway.url + CHAT, json=chat(), headers=headers, trust_env=False).status_code == 200


def test_a_bad_policy_at_run_time_keeps_the_last_good_one(tmp_path, policy, model, bearers):
    rules = shutil.copytree(policy.parent, tmp_path / "rules")
    mine = rules / "policy.yaml"
    good = mine.read_text()
    with Gateway(model.url, mine, tmp_path / "g") as gateway:
        headers = {"authorization": f"Bearer {bearers['dr.okafor']}"}
        ask = lambda: httpx.post(gateway.url + CHAT, json=chat(), headers=headers, trust_env=False)  # noqa: E731
        assert ask().status_code == 200
        mine.write_text(good.replace("version: 1", "version: 9"))
        gateway.wait_until(lambda: "last good one stays" in gateway.said(), 10)
        assert ask().status_code == 200
        mine.write_text(good.replace("permit: [clinician]", "permit: [auditor]"))
        gateway.wait_until(lambda: ask().status_code == 403, 10)
        noted = [record["accepted"] for record in records(gateway.journal) if record["kind"] == "policy"]
        assert noted == [True, False, True]


def test_sigterm_lets_a_stream_finish_and_closes_the_journal(tmp_path, policy, model, bearers):
    text = "The ward is quiet today. " * 4
    parts = events(text)
    model.script = Answer.events([*parts[:5], 1.0, *parts[5:]])
    with Gateway(model.url, policy, tmp_path / "g") as gateway:
        headers = {"authorization": f"Bearer {bearers['dr.okafor']}"}
        with httpx.stream(
            "POST", gateway.url + CHAT, json=chat(stream=True), headers=headers, trust_env=False
        ) as answer:
            pieces = answer.iter_raw()
            got = next(pieces)
            os.kill(gateway.pid, signal.SIGTERM)
            time.sleep(0.2)
            with pytest.raises(httpx.HTTPError):
                httpx.get(gateway.url + "/v1/models", trust_env=False)
            got += b"".join(pieces)
        assert gateway.process is not None
        gateway.process.wait(10)
    assert said(got) == text
    kinds = [record["kind"] for record in records(gateway.journal)]
    assert kinds[-1] == "closed"
    assert json.dumps(kinds).count("response") == 1

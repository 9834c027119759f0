"""Whoever looks on sees shadows: mitmweb, `-w`, hardump, the dumper and the log, at every moment of an exchange."""

import contextlib
import fcntl
import json
import os
import pty
import signal
import socket
import struct
import subprocess
import termios
import threading
import time
from typing import Any

import httpx
import pytest
from mitmproxy import io

from model_server import Answer
from processes import MITMDUMP, Gateway, free_port, settings
from tests.traffic import CANARY_TEXT, CHAT, as_person, chat, completion, events, leaks, records

pytestmark = pytest.mark.live

MITMWEB = MITMDUMP.replace("mitmdump", "mitmweb")
SLOW = 1.2


def slowly(request):
    """A model that thinks for a while before it answers, whole or streamed."""
    if request.json().get("stream"):
        return Answer.events([events()[0], SLOW, *events()[1:]])
    return Answer([SLOW, completion()], headers={"content-type": "application/json"})


@pytest.fixture
def watched(tmp_path, policy, model):
    """A mitmweb with everything on that could show a flow, its API, and the files it writes."""
    port, folder = free_port(), tmp_path / "web"
    extra = ["--no-web-open-browser", "-w", str(tmp_path / "flows"), "-v"]
    extra += settings(web_port=port, web_password="open-sesame", hardump=tmp_path / "flows.har")
    model.script = slowly
    headers = {"authorization": "Bearer open-sesame"}
    with (
        Gateway(model.url, policy, folder, program=MITMWEB, extra=extra) as gateway,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, trust_env=False) as api,
    ):
        yield gateway, api, tmp_path


def everything(api):
    """All that mitmweb's API tells of all flows: list, bodies and content views of both sides, the log, the dump."""
    got = [api.get("/flows").content, api.get("/events").content]
    for flow in json.loads(got[0]):
        for side in ("request", "response"):
            got.append(api.get(f"/flows/{flow['id']}/{side}/content.data").content)
            got.append(api.get(f"/flows/{flow['id']}/{side}/content/auto.json").content)
    got.append(api.get("/flows/dump").content)
    return b"\n".join(got)


def test_mitmweb_shows_masked_shadows_at_every_moment(watched, bearers, model):
    gateway, api, _ = watched
    headers = {"authorization": f"Bearer {bearers['dr.okafor']}"}
    seen, answers = [], []

    def ask(**more):
        answers.append(
            httpx.post(gateway.url + CHAT, json=chat(CANARY_TEXT, **more), headers=headers, trust_env=False, timeout=20)
        )

    def held():
        answers.append(
            httpx.post(
                gateway.url + CHAT,
                json=chat(CANARY_TEXT),
                headers=headers | {"phi-unmask": f"for {CANARY_TEXT}"},
                trust_env=False,
            )
        )

    askers = [
        threading.Thread(target=ask),
        threading.Thread(target=ask, kwargs={"stream": True}),
        threading.Thread(target=held),
    ]
    for asker in askers:
        asker.start()
    while any(asker.is_alive() for asker in askers):
        seen.append(everything(api))
        time.sleep(0.02)
    for asker in askers:
        asker.join()
    time.sleep(0.2)
    last = everything(api)
    assert sorted(answer.status_code for answer in answers) == [200, 200, 403]
    assert len(seen) > 5
    assert [leaks(each) for each in [*seen, last]] == [[]] * (len(seen) + 1)
    during = [each for each in seen if b"[US_SSN]" in each and b"hourglass" in each]
    assert during, "no shadow was seen during inference"
    flows = api.get("/flows").json()
    assert len(flows) == 3
    comments = " ".join(flow["comment"] for flow in flows)
    assert "dr.okafor (clinician) | permit clinicians-chat" in comments
    assert "hold approval-required" in comments
    assert "US_SSN 2" in comments
    assert not any(bearer in last.decode(errors="replace") for bearer in bearers.values())


def test_files_of_flows_hold_shadows(watched, bearers, model):
    gateway, _, folder = watched
    headers = {"authorization": f"Bearer {bearers['dr.okafor']}"}
    model.script = lambda request: Answer(completion())
    for path in (CHAT, f"/unknown/{'Quartermaine'}"):
        httpx.post(gateway.url + path, json=chat(CANARY_TEXT), headers=headers, trust_env=False)
    gateway.stop()
    raw = (folder / "flows").read_bytes()
    with (folder / "flows").open("rb") as file:
        flows: list[Any] = list(io.FlowReader(file).stream())
    assert len(flows) == 2
    assert b"[US_SSN]" in flows[0].request.content
    assert b"[US_SSN]" in flows[0].response.content
    assert leaks(raw) == []
    assert leaks((folder / "flows.har").read_bytes()) == []
    assert len(json.loads((folder / "flows.har").read_text())["log"]["entries"]) == 2
    assert leaks(gateway.said()) == []


def test_an_exchange_cut_off_by_sigkill_leaves_nothing_unmasked(tmp_path, policy, model, bearers):
    model.script = slowly
    extra = ["-w", str(tmp_path / "flows")]
    with Gateway(model.url, policy, tmp_path / "g", extra=extra) as gateway:
        headers = {"authorization": f"Bearer {bearers['dr.okafor']}"}

        def ask():
            with contextlib.suppress(httpx.HTTPError):
                httpx.post(gateway.url + CHAT, json=chat(CANARY_TEXT), headers=headers, trust_env=False)

        asker = threading.Thread(target=ask)
        asker.start()
        model.wait_for(1)
        os.kill(gateway.pid, signal.SIGKILL)
        asker.join()
    assert leaks((tmp_path / "flows").read_bytes()) == []
    assert leaks(json.dumps(records(gateway.journal))) == []
    with Gateway(model.url, policy, tmp_path / "g") as gateway:
        found = [
            record for record in records(gateway.journal) if record["kind"] == "recovered" and "exchange" in record
        ]
    assert [record["outcome"] for record in found] == ["interrupted"]


class Terminal(Gateway):
    """mitmproxy's console in a terminal of its own; `screen` is all that was ever drawn."""

    def start(self):
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 150, 0, 0))
        self.screen = b""
        command = [self.command[0], *self.command[2:]]  # the console knows no `-q`
        environment = {**os.environ, "LANG": "C.UTF-8", "TERM": "xterm"}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command, stdin=slave, stdout=slave, stderr=log, env=environment, start_new_session=True
            )
        os.close(slave)
        threading.Thread(target=self.look, daemon=True).start()
        self.wait_until(self.ready)
        return self

    def look(self):
        try:
            while piece := os.read(self.master, 65536):
                self.screen += piece
        except OSError:
            pass

    def press(self, keys):
        os.write(self.master, keys)
        time.sleep(0.7)


def test_the_console_shows_shadows_and_cannot_change_the_mode(tmp_path, policy, model, bearers):
    model.script = lambda _request: Answer(completion())
    with Terminal(model.url, policy, tmp_path / "tui", program=MITMDUMP.replace("mitmdump", "mitmproxy")) as gateway:
        headers = {"authorization": f"Bearer {bearers['dr.okafor']}"}
        assert (
            httpx.post(gateway.url + CHAT, json=chat(CANARY_TEXT), headers=headers, trust_env=False).status_code == 200
        )
        for keys in (b"\r", b"\t", b"\t", b"q", b":set mode=regular\r", b":phi.tickets\r", b":phi.policy\r"):
            gateway.press(keys)
        assert httpx.post(gateway.url + CHAT, json=chat(), trust_env=False).status_code == 401
    assert b"/v1/chat/completions" in gateway.screen
    assert b"[US_SSN]" in gateway.screen
    assert b"phi.tickets: no tickets waiting" in gateway.screen
    assert b", in force since 20" in gateway.screen
    assert leaks(gateway.screen) == []


JSON = {"content-type": "application/json"}
CALL = {"id": "c", "function": {"name": "f", "arguments": json.dumps({"a": CANARY_TEXT})}}
PAST = {"role": "assistant", "tool_calls": [CALL]}
CANARY_PLACES = [
    ("the path", lambda send: send("/v1/" + "Zebulon%20Quartermaine")),
    ("the query", lambda send: send(CHAT + "?ssn=536-22-8145")),
    ("the model's name", lambda send: send(CHAT, json=chat() | {"model": "536-22-8145"})),
    ("a header", lambda send: send(CHAT, json=chat(), headers={"x-patient": "Quartermaine"})),
    ("the user agent", lambda send: send(CHAT, json=chat(), headers={"user-agent": CANARY_TEXT})),
    ("the session's name", lambda send: send(CHAT, json=chat(), headers={"phi-session": "Quartermaine"})),
    ("the reason", lambda send: send(CHAT, json=chat(), headers={"phi-unmask": CANARY_TEXT})),
    ("broken JSON", lambda send: send(CHAT, content=CANARY_TEXT.encode(), headers=JSON)),
    ("the content type", lambda send: send(CHAT, content=b"{}", headers={"content-type": "Quartermaine/536-22-8145"})),
    ("the bearer", lambda send: send(CHAT, json=chat(), headers={"authorization": "Bearer Quartermaine"})),
    ("a held prompt", lambda send: send(CHAT, json=chat(CANARY_TEXT), headers={"phi-unmask": "a reason"})),
    ("a denied prompt", lambda send: send(CHAT, json=chat(f"list all patients like {CANARY_TEXT}"))),
    ("an unread part", lambda send: send(CHAT, json=chat([{"type": "image_url", "url": CANARY_TEXT}]))),
    ("a prompt", lambda send: send(CHAT, json=chat(CANARY_TEXT))),
    ("tool calls of the past", lambda send: send(CHAT, json=chat() | {"messages": [PAST]})),
]


def test_a_canary_in_any_place_of_a_request_shows_up_nowhere(tmp_path, policy, model, bearers):
    extra = ["-w", str(tmp_path / "flows"), "-vv", *settings(hardump=tmp_path / "flows.har", flow_detail=4)]
    with Gateway(model.url, policy, tmp_path / "g", extra=extra) as gateway:
        with as_person(gateway, bearers["dr.okafor"]) as client:
            for sentence, place in CANARY_PLACES:
                model.script = lambda _request: Answer(completion())
                answer = place(client.post)
                assert leaks(answer.content) == [], sentence
                assert leaks(repr(answer.headers)) == [], sentence
        raw = f"GET /{CANARY_TEXT} HTTP/1.1\r\n{CANARY_TEXT}\r\n\r\n{CANARY_TEXT * 3}"
        assert leaks(on_the_wire(gateway.port, raw.encode())) == []
        gateway.stop()
    sinks = {
        "the log": gateway.said(),
        "-w": (tmp_path / "flows").read_bytes(),
        "hardump": (tmp_path / "flows.har").read_bytes(),
        "the journal": json.dumps(records(gateway.journal)),
        "file names": " ".join(map(str, tmp_path.rglob("*"))),
    }
    assert {name: leaks(content) for name, content in sinks.items()} == {name: [] for name in sinks}
    assert not any(bearer in gateway.said() for bearer in bearers.values())


def on_the_wire(port, raw):
    with socket.create_connection(("127.0.0.1", port), timeout=3) as wire:
        wire.sendall(raw)
        wire.shutdown(socket.SHUT_WR)
        got = b""
        while piece := wire.recv(65536):
            got += piece
    return got

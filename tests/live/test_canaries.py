"""A canary of every kind of identifier goes through every route, refusal and fault; then every sink is searched.

The routes are those of the tables: each channel that `phigate conformance` knows, with canaries in prompt and answer,
and each route of every dialect with a body that suits none and one that suits most. What may hold a canary is the model
server, and the answer of a rule that reveals; all else that the gateway writes, says or shows is looked through.
"""

import base64
import contextlib
import hashlib
import json
import re
import socket
import sys
import time
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from model_server import CUT, EVENTS, Answer, ModelServer, Raw
from people import policy_for
from phigate.conformance import probe, read, tables, wire
from phigate.conformance.cases import fill
from phigate.dialect.known import ROUTES
from phigate.dialect.kserve_grpc import METHODS
from phigate.policy.verdict import CHANGES
from phigate.policy.words import ACTIONS, ENTITIES
from processes import HOST, MITMDUMP, Gateway, free_port, settings
from tests.grpc_peer import Peer
from tests.grpc_peer import answer as tensors
from tests.live import realtime
from tests.live.canaries import KINDS, PHOTO, TEXT, files, found, in_pieces
from tests.receiver import Receiver
from tests.traffic import CHAT, chat, completion, events, records

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]

MITMWEB = MITMDUMP.replace("mitmdump", "mitmweb")
MODEL = "ward-assistant"
JSON = {"content-type": "application/json"}
CLEAR = TEXT.encode()
IN_JSON = json.dumps(TEXT).encode()
LINE = TEXT.replace("'", "")
"""What goes into a header field."""
USUAL = "to: [chat, complete, embed]\n"
ALL = "to: [chat, complete, embed, transcribe, rank, predict, manage-models, list-models]\n"
LISTS = "  - name: everyone-lists-models\n"
RECORDINGS = (
    "  - {name: recordings, permit: [researcher], to: [transcribe], models: ['*'], mask: safe-harbor, opaque: permit}\n"
)
TAIL = """
webhooks:
  - {{name: pager, url: '{pager}/hook', secret: env:PAGER_SECRET}}
  - {{name: channel, url: env:CHANNEL_URL, format: slack, prompt: true}}
routes:
  - {{name: triage, match: "POST /triage", action: predict, model: triage}}
  - {{name: tell, match: "POST /tell", action: predict, model: $.engine, answers: [json, sse], text: ["$.delta.note"]}}
  - {{name: plain, match: "POST /plain", action: predict, answers: text}}
"""
OWN = ("/triage", "/tell", "/plain")


class Watched(Gateway):
    """A gateway that everybody looks at: mitmweb with its API, `-w`, hardump, gRPC, webhooks, folders of its own."""

    def __init__(self, model, policy, folder, *, peer=None, program=(MITMWEB,)):
        self.folder, self.web, self.grpc = folder, free_port(), free_port()
        self.control = folder.parent / "turn"
        (folder / "tmp").mkdir(parents=True)
        extra = ["--no-web-open-browser", "-v", "-w", str(folder / "flows")]
        extra += settings(web_port=self.web, web_password="open-sesame", hardump=folder / "flows.har")
        extra += settings(body_size_limit="256k", phi_grpc=f"{HOST}:{self.grpc}")
        extra += settings(phi_grpc_upstream=peer.url) if peer else []
        prefix = ("env", f"TMPDIR={folder / 'tmp'}", f"HOME={folder / 'tmp'}", *program[:-1])
        super().__init__(model.url, policy, folder, extra=extra, program=program[-1], prefix=prefix)

    def shown(self):
        """All that mitmweb's API tells: list, bodies and views of both sides, event log, options, dump."""
        headers = {"authorization": "Bearer open-sesame"}
        with httpx.Client(base_url=f"http://{HOST}:{self.web}", headers=headers, trust_env=False, timeout=30) as api:
            flows = api.get("/flows").content
            said = [flows, api.get("/events").content, api.get("/options").content, api.get("/flows/dump").content]
            for flow in json.loads(flows)[::20]:
                for side in ("request", "response", "messages"):
                    said.append(api.get(f"/flows/{flow['id']}/{side}/content.data").content)
                    said.append(api.get(f"/flows/{flow['id']}/{side}/content/auto.json").content)
        return b"\n".join(said)


class Client:
    """Somebody in front of a gateway; everything that comes back is kept."""

    def __init__(self, gateway, model, bearers):
        self.gateway, self.model, self.bearers = gateway, model, bearers
        self.got = []
        """(what was asked, status, all that came back, the texts that can be put together from it)."""
        self._wire = httpx.Client(base_url=gateway.url, trust_env=False, timeout=20)

    def ask(self, what, method, path, *, who="dr.okafor", framing="json", **more):
        """One request; its status, 0 where the connection broke."""
        headers = {"authorization": f"Bearer {self.bearers[who]}"} if who else {}
        request = self._wire.build_request(method, path, headers=headers | more.pop("headers", {}), **more)
        status, fields, body = 0, {}, b""
        with contextlib.suppress(httpx.HTTPError), contextlib.closing(self._wire.send(request, stream=True)) as answer:
            status, fields = answer.status_code, {name.lower(): value for name, value in answer.headers.items()}
            for piece in answer.iter_bytes():
                body += piece
        texts = []
        with contextlib.suppress(read.Unreadable):
            texts = read.together(read.messages(framing, fields, body))
        self.keep(what, status, repr(sorted(fields.items())).encode() + b"\n" + body, texts)
        return status

    def keep(self, what, status, raw, texts=()):
        self.got.append((what, status, raw, "\n".join(texts).encode()))

    def leaks(self):
        told = [(what, sorted({*found(raw), *found(texts)})) for what, _, raw, texts in self.got]
        return [each for each in told if each[1]]


# -- every channel of every protocol, and every route ---------------------------------------------------------------


def spoken_of(case):
    """What a case says, about our patient wherever it can."""
    inner = (json.dumps(probe.TEXT)[1:-1], json.dumps(TEXT)[1:-1])
    return case.spoken.replace(*inner).replace(probe.TEXT, TEXT)


def ask_as_the_tables_say(client):
    for turn, case in enumerate(tables.CASES):
        made = wire.answer(case, at=(len(case.spoken) // 2,), model=MODEL, spoken=spoken_of(case))
        body = list(made.parts) if case.streamed else made.body
        client.model.script = Answer(body, status=made.status, headers=made.headers)
        asked = fill(case.ask.body, {"model": MODEL, "turn": f"({turn}) {TEXT}"})
        content = asked.replace(b"{model}", MODEL.encode()) if isinstance(asked, bytes) else None
        more = {} if asked is None else {"content": content or json.dumps(asked).encode()}
        headers = ({} if asked is None else JSON) | dict(case.ask.headers)
        who = "sam.lindqvist" if case.dialect == "openai audio" else "dr.okafor"
        path = case.ask.path.replace("{model}", MODEL)
        client.ask(case.name, case.ask.method, path, who=who, framing=case.framing, headers=headers, **more)


WIDE = {
    "model": MODEL,
    "prompt": TEXT,
    "input": TEXT,
    "inputs": TEXT,
    "text": TEXT,
    "query": TEXT,
    "documents": [TEXT],
    "instances": [{"note": TEXT}],
    "messages": [{"role": "user", "content": TEXT}],
    "delta": {"note": TEXT},
}
TELLING = {"note": TEXT, "error": TEXT, "text": TEXT, "models": [{"name": TEXT, "id": TEXT}], "predictions": [TEXT]}


def echo(request):
    """An upstream that quotes what it was asked, as many do in their errors."""
    said = request.raw.decode(errors="replace")
    return Answer(json.dumps({"error": {"message": f"cannot: {said} {TEXT}", "code": TEXT}}).encode(), status=500)


def every_route():
    """(name, method, path, media types): a name or number stands in each place."""
    for route in ROUTES:
        if route.talk is None:
            path = route.path.replace("{model}", MODEL).replace("{version}", "1").replace("{id}", "m-1")
            yield route.name, route.method, path, route.reads if route.has_body else ()
    for path in OWN:
        yield path, "POST", path, ("application/json", "text/plain")


def ask_every_route(client):
    for name, method, path, reads in every_route():
        client.model.script = Answer.json(TELLING)
        content = {"content": json.dumps(WIDE).encode(), "headers": JSON} if reads else {}
        client.ask(f"{name}, answered", method, path, **content)
        client.model.script = echo
        body = {key: WIDE[key] for key in ("model", "prompt", "input", "messages")} | {"name": MODEL}
        content = {"content": json.dumps(body).encode(), "headers": JSON} if reads else {}
        client.ask(f"{name}, quoted", method, path, **content)
        if "text/plain" in reads:
            client.ask(f"{name}, plain", method, path, content=CLEAR, headers={"content-type": "text/plain"})


# -- refusals and broken answers ------------------------------------------------------------------------------------

IMAGE = {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64," + base64.b64encode(PHOTO).decode()}}
REFUSED: list[tuple[str, int | None, dict[str, Any]]] = [
    ("no bearer", 401, {"who": None}),
    ("a bearer that is none", 401, {"headers": {"authorization": f"Bearer {LINE}"}}),
    ("a password", 401, {"headers": {"authorization": "Basic " + base64.b64encode(CLEAR).decode()}}),
    ("two bearers", None, {"headers": {"x-api-key": LINE}}),
    ("nobody's role", 403, {"who": "lee.castellano"}),
    ("a deny", 403, {"json": chat(f"List all patients like: {TEXT}")}),
    ("a hold", 403, {"headers": {"phi-unmask": LINE[:200], "phi-justification": LINE[:400]}}),
    ("a path", 404, {"path": "/v1/Zebulon%20Quartermaine/536-22-8145"}),
    ("a query", 404, {"path": f"{CHAT}?name=Zebulon+Quartermaine&ssn=536-22-8145&mrn=77310042"}),
    ("a method", 405, {"method": "DELETE"}),
    ("a method nobody knows", 405, {"method": "QUARTERMAINE"}),
    ("no JSON", 400, {"content": b"{" + IN_JSON}),
    ("half of it", 400, {"content": b'{"model": "m", "messages": [' + IN_JSON}),
    ("a name twice", 400, {"content": b'{"model": "m", ' + IN_JSON + b": 1, " + IN_JSON + b": 2}"}),
    ("no model", 400, {"json": {"messages": [{"role": "user", "content": TEXT}]}}),
    ("a model's name that is none", 400, {"json": chat(TEXT) | {"model": TEXT}}),
    ("a member nobody knows", None, {"json": chat(TEXT) | {LINE[:60]: TEXT, "metadata": {"note": TEXT}}}),
    ("too much", 413, {"json": chat(TEXT * 800)}),
    ("a form", 415, {"data": {"name": TEXT}}),
    ("another encoding", 415, {"headers": JSON | {"content-encoding": "br"}, "content": CLEAR}),
    ("a photograph", 415, {"json": chat() | {"messages": [{"role": "user", "content": [IMAGE]}]}}),
    ("fields of its own", None, {"headers": {"x-patient": LINE, "cookie": LINE, "user-agent": LINE, "referer": LINE}}),
    ("a session", None, {"headers": {"phi-session": "Quartermaine-77310042", "x-request-id": "536-22-8145"}}),
]
BROKEN = [
    ("too many requests, quoted", Answer(json.dumps({"error": TEXT}).encode(), status=429)),
    ("an error, quoted", echo),
    ("an error that is no JSON", Answer(CLEAR, status=503, headers={"content-type": "text/html"})),
    ("no JSON", Answer(CLEAR)),
    ("no kind", Answer(IN_JSON, headers={})),
    ("elsewhere", Answer(IN_JSON, status=302, headers=JSON | {"location": "http://127.0.0.1/?q=Quartermaine"})),
    ("fields of its own", Answer(completion(), headers=JSON | {"x-note": LINE, "set-cookie": f"a={LINE}"})),
    ("garbage", Raw([CLEAR, b"\r\n\r\n"])),
    ("a phrase", Raw([b"HTTP/1.1 200 " + CLEAR + b"\r\ncontent-length: 0\r\n\r\n"])),
    ("no answer", Raw([])),
    ("half an answer", Raw([b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 9999\r\n\r\n" + IN_JSON])),
    ("trailers", Raw([b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
                      b"2\r\n{}\r\n0\r\nx-note: " + CLEAR + b"\r\n\r\n"])),
    ("an unasked change of protocol", Raw([b"HTTP/1.1 101 X\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n" + CLEAR])),
    ("a stream that dies", Answer.events([*events(TEXT, done=False)[:60], CUT])),
    ("a stream of garbage", Answer([b"data: " + CLEAR + b"\n\n", CLEAR], headers=EVENTS)),
    ("an event nobody knows", Answer([b"event: Quartermaine\ndata: {" + IN_JSON + b": 1}\n\n"], headers=EVENTS)),
]  # fmt: skip
RAW = [
    b"GET /Zebulon Quartermaine 536-22-8145 HTTP/9.9\r\nHost: g\r\n\r\n",
    b"POST " + CHAT.encode() + b" HTTP/1.1\r\nHost: Quartermaine\r\nHost: 536-22-8145\r\n\r\n",
    b"POST " + CHAT.encode() + b" HTTP/1.1\r\nHost: g\r\nContent-Length: -77310042\r\n\r\n" + CLEAR,
    b"POST " + CHAT.encode() + b" HTTP/1.1\r\nHost: g\r\nTransfer-Encoding: chunked\r\n\r\n" + CLEAR,
    b"GET / HTTP/1.1\r\nHost: g\r\nX-Note: \0" + CLEAR + b"\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: g\r\nX: 1\r\n " + CLEAR + b"\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: g\r\n" + (b"X-Note: " + CLEAR + b"\r\n") * 400 + b"\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + CLEAR,
    b"\x16\x03\x01\x02\x00\x01\x00" + CLEAR,
    CLEAR,
]


def be_refused(client):
    """Statuses that are not what the table says."""
    odd = []
    client.model.script = Answer(completion(TEXT))
    for sentence, status, more in REFUSED:
        asked = dict(more)
        method, path = asked.pop("method", "POST"), asked.pop("path", CHAT)
        if asked.keys().isdisjoint({"json", "content", "data"}):
            asked["json"] = chat(TEXT)
        if "content" in asked:
            asked["headers"] = JSON | asked.get("headers", {})
        got = client.ask(f"refused: {sentence}", method, path, **asked)
        if status is not None and got != status:
            odd.append((sentence, got))
    for raw in RAW:
        with socket.create_connection((HOST, client.gateway.port), timeout=1.5) as sock:
            sock.sendall(raw)
            sock.shutdown(socket.SHUT_WR)
            got = b""
            with contextlib.suppress(OSError):
                while piece := sock.recv(65536):
                    got += piece
        client.keep("refused: bytes", 0, got)
    return odd


def get_broken_answers(client):
    for sentence, script in BROKEN:
        for stream in (False, True):
            client.model.script = script
            client.ask(f"broken: {sentence}", "POST", CHAT, json=chat(TEXT, stream=stream), framing="sse")


# -- gRPC and WebSockets --------------------------------------------------------------------------------------------


def call(client, peer):
    """Every method that the gateway knows, one that it does not, and answers that are errors."""
    bearer = ("authorization", f"Bearer {client.bearers['dr.okafor']}")
    request = tensors_asked()
    with grpc.insecure_channel(f"{HOST}:{client.gateway.grpc}") as channel:

        def one(path, sent, *, stream=False, metadata=(bearer,)):
            method = (channel.stream_stream if stream else channel.unary_unary)(path)
            got, status = [], "OK"
            try:
                answer = method(iter([sent]) if stream else sent, metadata=metadata, timeout=10)
                got = list(answer) if stream else [answer]
            except grpc.RpcError as error:
                status = f"{error.code()} {error.details()} {error.trailing_metadata()}"
            client.keep(f"grpc: {path}", status, status.encode() + b"\n" + b"\n".join(got))
            return got

        abort = (grpc.StatusCode.INTERNAL, LINE)
        for script in (
            lambda asked: tensors(asked, TEXT),
            lambda asked: tensors(asked, TEXT, raw=False),
            lambda _: abort,
        ):
            peer.says = script
            peer.streams = lambda asked, script=script: (script(each) for each in asked)
            for method in METHODS.values():
                one(method.path, request if method.infer else b"", stream=method.streams)
        peer.streams = lambda asked: (TEXT for _ in asked)
        stream = next(method.path for method in METHODS.values() if method.streams)
        one(stream, request, stream=True)
        unary = next(method.path for method in METHODS.values() if method.infer and not method.streams)
        one(unary, request, metadata=())
        one(unary, request, metadata=(("authorization", "Bearer Quartermaine"), ("x-note", LINE)))
        one(unary, CLEAR)
        one("/inference.GRPCInferenceService/Quartermaine", CLEAR)
        peer.says = lambda asked: tensors(asked, TEXT)
        return one(unary, request)


def tensors_asked():
    from tritonclient.grpc import service_pb2

    made = service_pb2.ModelInferRequest(model_name=MODEL, id="77310042")
    tensor = made.inputs.add(name="text_input", datatype="BYTES", shape=[1])
    tensor.contents.bytes_contents.append(CLEAR)
    return made.SerializeToString()


def frame(text):
    raw = text if isinstance(text, bytes) else json.dumps(text).encode()
    size = bytes([len(raw)]) if len(raw) < 126 else b"\x7e" + len(raw).to_bytes(2, "big")
    return b"\x81" + size + raw


def speak(request):
    """A model on a WebSocket: says its piece and then something that nobody can read (RFC 6455)."""
    key = request.header("sec-websocket-key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    accept = base64.b64encode(hashlib.sha1(key.encode()).digest())
    head = b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: "
    said = [frame(each) for each in realtime.spoken(TEXT, step=30)]
    return Raw([head + accept + b"\r\n\r\n", 0.3, *said, 0.3, frame(CLEAR), 0.3])


def talk(client):
    client.model.script = speak
    for path in (f"/v1/realtime?model={MODEL}", "/v1/realtime?intent=transcription"):
        got = []
        with contextlib.suppress(Exception), realtime.opened(client.gateway, client.bearers["dr.okafor"], path) as sock:
            sock.send(json.dumps(realtime.ask(TEXT)))
            got, code, reason = realtime.rest(sock)
            got = [*got, f"{code} {reason}"]
        raw = "\n".join(got)
        deltas = "".join(json.loads(each).get("delta", "") for each in got if each.startswith("{"))
        client.keep(f"websocket: {path}", len(got), raw.encode(), [deltas])


# -- people ---------------------------------------------------------------------------------------------------------


def take_part(client):
    """Ask, approve, review, look; what is revealed on the way comes back, all that the console said is kept."""
    client.model.script = Answer(completion(TEXT))
    console, said = client.gateway.console_url, []
    kai = {"authorization": f"Bearer {client.bearers['kai.holm']}"}
    doctor = {"authorization": f"Bearer {client.bearers['dr.okafor']}"}
    with httpx.Client(base_url=console, trust_env=False, timeout=20) as people:
        listed = people.get("/tickets", headers=kai)
        said.append(listed)
        (ticket, *_) = re.findall(r'"ticket": ?"([^"]+)"', listed.text) or re.findall(r"t-[0-9a-f]{16}", listed.text)
        for _ in range(2):
            said.append(people.get(f"/tickets/{ticket}", headers=kai))
            said.append(people.post(f"/tickets/{ticket}/approve", headers=kai, json={"comment": f"Yes, {TEXT}"[:500]}))
        asked = {"headers": doctor | {"phi-unmask": LINE[:200], "phi-justification": LINE[:400]}, "json": chat(TEXT)}
        broke = {"headers": doctor | {"phi-break-glass": LINE[:200]}, "json": chat(TEXT)}
        revealed = [
            httpx.post(client.gateway.url + CHAT, trust_env=False, timeout=20, **each) for each in (asked, broke)
        ]
        for path in (
            "/reviews",
            "/tickets?state=approved",
            "/readyz",
            "/metrics",
            "/openapi.json",
            f"/tickets/{LINE[:30]}",
        ):
            said += [people.get(path, headers=who) for who in (kai, doctor, {})]
        said.append(people.post("/token", content=CLEAR, headers={"content-type": "application/x-www-form-urlencoded"}))
        said.append(people.post("/token", data={"grant_type": TEXT, "subject_token": TEXT, "assertion": TEXT}))
        said.append(people.post("/revoke", headers=kai, data={"token": TEXT}))
        said.append(people.post("/slack/actions", content=CLEAR, headers={"x-slack-signature": LINE}))
        said.append(people.post(f"/tickets/{ticket}/reject", headers=kai, content=IN_JSON))
    return revealed, b"\n".join(repr(sorted(each.headers.items())).encode() + each.content for each in said)


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
        with Watched(model, open_policy, folder, peer=peer) as gateway:

            def cpu(w, c=[0, 0]):
                f = Path(f"/proc/{gateway.pid}/stat").read_text().rpartition(")")[2].split()
                g = (int(f[11]) + int(f[12])) / 100
                m = time.process_time()
                print(f"CPU {w}: gateway {g - c[0]:.2f} pytest {m - c[1]:.2f}")
                c[:] = [g, m]

            client = Client(gateway, model, everybody)
            cpu("start")
            ask_as_the_tables_say(client)
            cpu("ask_as_the_tables_say(client)")
            ask_every_route(client)
            cpu("ask_every_route(client)")
            odd = be_refused(client)
            cpu("odd = be_refused(client)")
            get_broken_answers(client)
            cpu("get_broken_answers(client)")
            called = call(client, peer)
            cpu("called = call(client, peer)")
            talk(client)
            cpu("talk(client)")
            revealed, console = take_part(client)
            cpu("revealed, console = take_part(client)")
            shown = gateway.shown()
            cpu("shown = gateway.shown()")
            metrics = httpx.get(f"{gateway.console_url}/metrics", trust_env=False).text
            arguments = Path(f"/proc/{gateway.pid}/cmdline").read_bytes() if sys.platform == "linux" else b""
            end = time.monotonic() + 10
            while not all(each.got for each in hooks) and time.monotonic() < end:
                time.sleep(0.05)
            records_of = records(gateway.journal)
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
            "files": files(folder),
            "folder": folder,
        }


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
    assert len([each for each in statuses if each == 200]) > 400
    assert {401, 403, 404, 405, 400, 413, 415, 429, 500, 502, 503} <= set(statuses)
    assert b"furosemide" in b"".join(sinks["called"])
    assert any(b"furosemide" in texts for what, _, _, texts in sinks["client"].got if what.startswith("websocket"))


@pytest.mark.parametrize("sink", ["console", "mitmweb", "webhooks", "arguments"])
def test_nobody_who_looks_on_is_shown_one(sinks, sink):
    assert found(sinks[sink]) == []
    assert b"[US_SSN]" in sinks[sink] or sink == "arguments"


def test_no_file_holds_one(sinks):
    """Journal, ledger with its log, `-w`, HAR, what was said on standard output and error, keys, temporary files."""
    held = sinks["files"]
    assert {path: leaks for path, raw in held.items() if (leaks := found(raw))} == {}
    names = {Path(path).name for path in held}
    assert {"gateway.log", "ledger.db", "flows", "flows.har", "secrets"} <= names
    assert b"".join(raw for path, raw in held.items() if path.endswith(".jsonl")).count(b"[US_SSN]") > 500
    assert b"[US_SSN]" in held[str(sinks["folder"] / "flows")]
    assert b"[US_SSN]" in held[str(sinks["folder"] / "flows.har")]
    assert in_pieces(sinks["records"]) == []
    assert {record["kind"] for record in sinks["records"]} >= {"request", "response", "part", "message", "hold", "look"}


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


def test_every_file_is_its_owners_alone(sinks):
    ours = [path for path in sinks["folder"].rglob("*") if path.name != "gateway.log"]  # that one the tests have made
    started = [path for path in ours if path.name != "tmp"]
    assert [str(path) for path in started if path.stat().st_mode & 0o077] == []
    assert len(started) > 10


LABELS = {
    "action": re.compile(r"unknown|(?:{0})(?:\+(?:{0}))*".format("|".join(map(re.escape, ACTIONS)))),
    "decision": re.compile("permit|hold|deny|break_glass"),
    "reason": re.compile(r"(?:[a-z]+(?:-[a-z]+){0,4})?"),
    "side": re.compile("prompt|answer"),
    "entity": re.compile("|".join([*ENTITIES, "OTHER"])),
    "change": re.compile("|".join(["same", "error", *CHANGES])),
    "state": re.compile("open|overdue"),
    "webhook": re.compile("pager|channel"),
    "outcome": re.compile("[a-z-]{1,20}"),
    "le": re.compile(r"[0-9.]+|\+Inf"),
}
"""What a label may say, whatever was asked; `reason` is a word of the sources."""


def test_labels_of_metrics_are_from_closed_sets(sinks):
    samples = [sample for family in text_string_to_metric_families(sinks["metrics"]) for sample in family.samples]
    said = {(name, value) for sample in samples for name, value in sample.labels.items()}
    assert [pair for pair in said if not LABELS[pair[0]].fullmatch(pair[1])] == []
    sources = "\n".join(path.read_text() for path in (Path(__file__).parents[2] / "addons").rglob("*.py"))
    reasons = {value for name, value in said if name == "reason" and value}
    assert len(reasons) > 10
    assert [reason for reason in reasons if f'"{reason}"' not in sources] == []
    assert found(sinks["metrics"].encode()) == []

"""What goes through a gateway with canaries in it: the tables' channels, every route, refusals, faults, people."""

import base64
import contextlib
import hashlib
import json
import os
import re
import socket
import ssl
from collections import Counter
from typing import Any

import grpc
import httpx
from tritonclient.grpc import service_pb2

from model_server import CUT, EVENTS, Answer, Raw
from phigate.conformance import probe, tables, wire
from phigate.conformance.cases import fill
from phigate.dialect.known import ROUTES
from phigate.dialect.kserve_grpc import METHODS
from processes import HOST
from tests.grpc_peer import answer as tensors
from tests.live import realtime
from tests.live.canaries.values import PARTS, PHOTO, TEXT
from tests.traffic import CHAT, chat, completion, events

MODEL = "ward-assistant"
JSON = {"content-type": "application/json"}
CLEAR = " ".join(TEXT.split()).encode()
IN_JSON = json.dumps(TEXT).encode()
LINE = " ".join(TEXT.split())
"""What goes into a header field."""
OWN = ("/triage", "/tell", "/plain")
"""Paths of the policy's own routes."""


# -- every channel of every protocol, and every route ---------------------------------------------------------------


def part(turn):
    """Some of the canaries, others in the next turn; all of them each time with PHIGATE_THOROUGH=1."""
    return TEXT if os.environ.get("PHIGATE_THOROUGH") else PARTS[turn % len(PARTS)]


def spoken_of(case, text):
    """What a case says, about our patient wherever it can."""
    inner = (json.dumps(probe.TEXT)[1:-1], json.dumps(text)[1:-1])
    return case.spoken.replace(*inner).replace(probe.TEXT, text)


def listed():
    """The tables' cases: a few of each way to ask and to answer, all of them with PHIGATE_THOROUGH=1."""
    seen = Counter()
    for case in tables.CASES:
        seen[way := (case.dialect, case.ask.path, case.framing)] += 1
        if seen[way] <= 4 or os.environ.get("PHIGATE_THOROUGH"):
            yield case


def ask_as_the_tables_say(client):
    for turn, case in enumerate(listed()):
        made = wire.answer(case, at=(len(case.spoken) // 2,), model=MODEL, spoken=spoken_of(case, part(turn)))
        body = list(made.parts) if case.streamed else made.body
        client.model.script = Answer(body, status=made.status, headers=made.headers)
        asked = fill(case.ask.body, {"model": MODEL, "turn": f"({turn}) {part(turn)}"})
        content = asked.replace(b"{model}", MODEL.encode()) if isinstance(asked, bytes) else None
        more = {} if asked is None else {"content": content or json.dumps(asked).encode()}
        headers = ({} if asked is None else JSON) | dict(case.ask.headers)
        who = "sam.lindqvist" if case.dialect == "openai audio" else "dr.okafor"
        path = case.ask.path.replace("{model}", MODEL)
        client.ask(case.name, case.ask.method, path, who=who, framing=case.framing, headers=headers, **more)


def wide(turn):
    """A body that suits most routes."""
    texts = ("prompt", "input", "inputs", "text", "query")
    body = {"model": MODEL, **{name: part(turn + at) for at, name in enumerate(texts)}}
    body |= {"documents": [part(turn)], "instances": [{"note": part(turn + 1)}], "delta": {"note": part(turn + 2)}}
    return body | {"messages": [{"role": "user", "content": part(turn)}]}


def telling(turn):
    """An answer that suits some."""
    named = [{"name": part(turn + 2), "id": part(turn)}]
    return {"note": part(turn), "error": part(turn + 1), "text": part(turn + 2), "models": named}


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
    for turn, (name, method, path, reads) in enumerate(every_route()):
        client.model.script = Answer.json(telling(turn))
        client.ask(f"{name}, answered", method, path, **({"json": wide(turn)} if reads else {}))
        client.model.script = echo
        body = {key: wide(turn + 1)[key] for key in ("model", "prompt", "input", "messages")} | {"name": MODEL}
        client.ask(f"{name}, quoted", method, path, **({"json": body} if reads else {}))
        if "text/plain" in reads:
            client.ask(f"{name}, plain", method, path, content=CLEAR, headers={"content-type": "text/plain"})


# -- refusals and broken answers ------------------------------------------------------------------------------------

IMAGE = {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64," + base64.b64encode(PHOTO).decode()}}
GOOD, CHUNKED = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n", b"transfer-encoding: chunked\r\n"
REFUSED: list[tuple[str, int | None, dict[str, Any]]] = [
    ("no bearer", 401, {"who": None}),
    ("a bearer that is none", 401, {"headers": {"authorization": f"Bearer {LINE}"}}),
    ("a password", 401, {"headers": {"authorization": "Basic " + base64.b64encode(CLEAR).decode()}}),
    ("two bearers", None, {"headers": {"x-api-key": LINE}}),
    ("nobody's role", 403, {"who": "lee.castellano"}),
    ("the one request that a limit lets by", 403, {"who": "priya.raman"}),
    ("more than that", 429, {"who": "priya.raman"}),
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
    ("half an answer", Raw([GOOD + b"content-length: 9999\r\n\r\n" + IN_JSON])),
    ("trailers", Raw([GOOD + CHUNKED + b"\r\n2\r\n{}\r\n0\r\nx-note: " + CLEAR + b"\r\n\r\n"])),
    ("an unasked change of protocol", Raw([b"HTTP/1.1 101 X\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n" + CLEAR])),
    ("a stream that dies", Answer.events([*events(TEXT, done=False)[:60], CUT])),
    ("a stream of garbage", Answer([b"data: " + CLEAR + b"\n\n", CLEAR], headers=EVENTS)),
    ("an event nobody knows", Answer([b"event: Quartermaine\ndata: {" + IN_JSON + b": 1}\n\n"], headers=EVENTS)),
]
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


def greet(client):
    """A TLS greeting that names somebody, by the server that it asks for and the protocols that it offers."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["http/1.1", "quartermaine"])
    head = f"POST {CHAT} HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer {client.bearers['dr.okafor']}\r\n"
    body = json.dumps(chat(PARTS[0])).encode()
    head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    name, got = "quartermaine.77310042.example", b""
    with (
        socket.create_connection((HOST, client.gateway.port), timeout=5) as sock,
        context.wrap_socket(sock, server_hostname=name) as wrapped,
    ):
        wrapped.sendall(head.encode() + body)
        while piece := wrapped.recv(65536):
            got += piece
    client.keep("a greeting", int(got.split(b" ")[1]), got)


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
    greet(client)
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
            theirs = b"".join(got).replace(b"\x1a\x08" + OWN_ID.encode(), b"")  # a caller gets its own id back
            client.keep(f"grpc: {path}", status, status.encode() + b"\n" + theirs)
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


OWN_ID = "77310042"


def tensors_asked():
    made = service_pb2.ModelInferRequest(model_name=MODEL, id=OWN_ID)
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
            said.append(people.post(f"/tickets/{ticket}/approve", headers=kai, json={"comment": f"Yes, {LINE}"[:500]}))
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

"""A conversation on a WebSocket: the real client, a real server as the model, the whole chain between them."""

import asyncio
import base64
import contextlib
import hashlib
import json
import socket
import time

import openai
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from model_server import Raw
from people import policy_for
from processes import HOST, Gateway
from tests.live.realtime import PLACE, ROUTE, Model, ask, event, opened, rest, spoken, until
from tests.traffic import (
    CANARIES,
    CANARY_MRN,
    CANARY_NAME,
    CANARY_SSN,
    CANARY_TEXT,
    CHAT,
    chat,
    leaks,
    records,
)

pytestmark = pytest.mark.live

RULES = """
  - {name: clinicians-dictate, permit: [clinician], to: [transcribe], models: ["*"], mask: minimum-necessary}
  - {name: operators-listen, permit: [ml-operator], to: [chat], models: ["*"], mask: safe-harbor, opaque: permit}
"""


@pytest.fixture(scope="module")
def _talking():
    with Model() as running:
        yield running


@pytest.fixture
def talking(_talking):
    _talking.forget()
    return _talking


@pytest.fixture(scope="module")
def gate(_talking, issuer, tmp_path_factory):
    path = policy_for(issuer.url, tmp_path_factory.mktemp("policy"))
    path.write_text(path.read_text().replace("\nrules:\n", "\nrules:\n" + RULES, 1))
    with Gateway(f"http://{HOST}:{_talking.port}", path, tmp_path_factory.mktemp("gate")) as running:
        running.policy = path
        yield running


@pytest.fixture
def doctor(bearers):
    return bearers["dr.okafor"]


def parted(talking, wire):
    """With which code and text the model was left in this conversation: others may take their time to end."""
    exchange = wire.response.headers["phi-exchange"]
    while exchange not in talking.closed:
        time.sleep(0.01)
    return talking.closed[exchange]


def kept(gate, wire, kind=None):
    """The records of an exchange."""
    exchange = wire.response.headers["phi-exchange"]
    found = [record for record in records(gate.journal) if record.get("exchange") == exchange]
    return [record for record in found if kind is None or record["kind"] == kind]


def test_a_conversation_is_masked_message_by_message_and_on_record(gate, talking, doctor):
    talking.script = lambda said: spoken() if said["type"] == "response.create" else []
    with opened(gate, doctor) as wire:
        wire.send(json.dumps(ask(f"Patient: {CANARY_NAME}. How is she?")))
        wire.send(json.dumps({"type": "response.create"}))
        got = until(wire, "response.done")
    text = "".join(each["delta"] for each in got if each["type"] == "response.output_text.delta")
    (done,) = [each["text"] for each in got if each["type"] == "response.output_text.done"]
    (item,) = [each["item"] for each in got if each["type"] == "response.output_item.done"]
    assert "furosemide 40 mg" in text
    assert text == done == item["content"][0]["text"] == got[-1]["response"]["output"][0]["content"][0]["text"]
    assert leaks(json.dumps(got)) == []
    assert [each["type"] for each in talking.seen] == ["conversation.item.create", "response.create"]
    assert CANARY_NAME in json.dumps(talking.seen)
    request, *said, response = kept(gate, wire)
    assert (request["kind"], request["route"], request["action"]) == ("request", "realtime", ["chat"])
    assert {each["kind"] for each in said} == {"message"}
    assert [each["body"]["type"] for each in said if each["from"] == "caller"] == [
        each["type"] for each in talking.seen
    ]
    assert "furosemide" in "".join(each["body"] for each in said if each["from"] == "model")
    assert (response["kind"], response["outcome"], response["status"]) == ("response", "complete", 101)
    assert response["usage"] == {"input": 7, "output": 9}
    assert response["findings"]["US_SSN"] >= 1
    assert leaks(json.dumps([request, *said, response])) == []


def test_the_upstreams_side_is_opened_anew(gate, talking, doctor):
    with opened(gate, doctor, subprotocols=["realtime", "mine"], user_agent_header="mine/1", origin="http://x") as wire:
        until(wire, "session.created")
        assert wire.subprotocol is None
    (head,) = talking.heads
    assert head[":path"] == ROUTE
    assert head["Sec-WebSocket-Protocol"] == "realtime"
    assert {name.lower() for name in head} == {
        *(":path", "host", "user-agent", "accept", "accept-encoding", "x-request-id", "connection", "upgrade"),
        *("sec-websocket-key", "sec-websocket-version", "sec-websocket-protocol"),
    }
    assert head["User-Agent"] == "phigate"


# -- who may open one -----------------------------------------------------------------------------------------------


def refused(gate, bearer, path=ROUTE, **more):
    with pytest.raises(InvalidStatus) as raised, opened(gate, bearer, path, **more):
        pass
    response = raised.value.response
    return response.status_code, json.loads(response.body)["error"]["code"]


def test_who_shows_no_believed_bearer_opens_nothing(gate, talking):
    assert refused(gate, None) == (401, "bearer-missing")
    assert refused(gate, "not-a-bearer") == (401, "bearer-refused")
    assert talking.heads == []


def test_who_may_not_chat_opens_nothing(gate, talking, bearers):
    assert refused(gate, bearers["lee.castellano"]) == (403, "no-rule")
    assert talking.heads == []


@pytest.mark.parametrize(
    "path",
    [
        "/v1/realtime?model=ward-assistant&api_key=x",
        "/v1/realtime?model=",
        "/v1/realtime?model=a&model=b",
        "/v1/realtime?call_id=c",
        "/v1/realtime/",
        "/v1/realtime?model=..%2fx",
    ],
)
def test_another_path_is_none(gate, talking, doctor, path):
    assert refused(gate, doctor, path) == (404, "route-unknown")
    assert talking.heads == []


def test_a_browsers_bearer_is_read_from_the_subprotocols_and_goes_no_further(gate, talking, doctor):
    with opened(gate, None, subprotocols=["realtime", f"openai-insecure-api-key.{doctor}"]) as wire:
        until(wire, "session.created")
    assert doctor not in json.dumps(talking.heads)
    assert kept(gate, wire)[0]["subject"]["id"] == "dr.okafor"


def test_two_bearers_are_none(gate, talking, doctor):
    assert refused(gate, doctor, subprotocols=[f"openai-insecure-api-key.{doctor}"]) == (401, "bearer-refused")
    assert talking.heads == []


HEAD = {
    "Host": "g",
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": base64.b64encode(b"k" * 16).decode(),
}


def raw(gate, bearer, path=ROUTE, method="GET", body=b"", close=True, **changes):
    """What a plain socket gets for a head, until it is closed or a second passes."""
    fields = HEAD | {name.replace("_", "-"): value for name, value in changes.items()}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items() if value is not None)]
    head = "\r\n".join([*lines, f"Authorization: Bearer {bearer}", "", ""]).encode()
    with socket.create_connection((HOST, gate.port), timeout=1) as wire:
        wire.sendall(head + body)
        got = b""
        with contextlib.suppress(TimeoutError, ConnectionError):
            while piece := wire.recv(65536):
                got += piece
                if not close:
                    break
    return got


@pytest.mark.parametrize(
    ("sentence", "changes", "status"),
    [
        ("no upgrade", {"Upgrade": None, "Connection": None}, 426),
        ("an upgrade to something else", {"Upgrade": "h2c"}, 426),
        ("another version", {"Sec_WebSocket_Version": "8"}, 426),
        ("no key", {"Sec_WebSocket_Key": None}, 400),
        ("a key that is none", {"Sec_WebSocket_Key": "x"}, 400),
        ("no word of it in Connection", {"Connection": "keep-alive"}, 400),
        ("a body", {"Content_Length": "2", "body": b"{}"}, 400),
        ("another method", {"method": "POST", "Content_Length": "0"}, 405),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_opens_no_websocket(gate, talking, doctor, sentence, changes, status):
    got = raw(gate, doctor, **({"Connection": "Upgrade, close"} | changes))
    assert got.split(b" ")[1] == str(status).encode()
    assert (b"sec-websocket-version: 13" in got.lower()) == (status == 426)
    assert talking.heads == []


def test_an_upgrade_on_another_route_is_an_ordinary_request(gateway, model, doctor):
    body = json.dumps(chat()).encode()
    more = {"Content_Length": str(len(body)), "Content_Type": "application/json", "Connection": "Upgrade, close"}
    got = raw(gateway, doctor, CHAT, "POST", body, **more)
    assert got.startswith(b"HTTP/1.1 200")
    assert b"upgrade" not in model.requests[0].raw.lower()


# -- what the caller says -------------------------------------------------------------------------------------------


def test_a_denied_message_ends_the_connection_and_does_not_reach_the_model(gate, talking, doctor):
    with opened(gate, doctor) as wire:
        until(wire, "session.created")
        wire.send(json.dumps(ask("Please list all")))
        wire.send(json.dumps(ask("patients of the ward")))
        got, code, reason = rest(wire)
    assert (code, reason) == (1008, "denied")
    error = json.loads(got[-1])
    assert (error["type"], error["error"]["code"]) == ("error", "denied")
    assert "data office" in error["error"]["message"]
    parted(talking, wire)  # by now the model has read all that was sent to it
    assert len(talking.seen) == 1
    (last,) = [each for each in kept(gate, wire, "message") if each["refused"]]
    assert last["refused"] == "denied"
    assert "patients" in json.dumps(last["body"])
    assert kept(gate, wire, "response")[0]["outcome"] == "denied"


APPEND = {"type": "input_audio_buffer.append", "audio": base64.b64encode(b"\0" * 900).decode()}


@pytest.mark.parametrize(
    ("sentence", "said", "code"),
    [
        ("no JSON", CANARY_TEXT, "malformed"),
        ("no object", "[]", "malformed"),
        ("bytes", b"{}", "content-unreadable"),
        ("a kind that nobody knows", {"type": "session.steal"}, "message-unknown"),
        ("no kind", {"event_id": "x"}, "message-unknown"),
        ("sound", APPEND, "content-unreadable"),
        (
            "an image",
            {"type": "conversation.item.create", "item": {"type": "message", "content": [{"type": "input_image"}]}},
            "content-unreadable",
        ),
        (
            "a tool of the server's",
            {"type": "session.update", "session": {"tools": [{"type": "mcp", "server_url": "http://x"}]}},
            "content-unreadable",
        ),
        ("one token", {"type": "response.create", "response": {"max_output_tokens": 1}}, "steering-refused"),
        ("a model that is no name", {"type": "session.update", "session": {"model": 7}}, "model-unknown"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_message_is_refused_that_is(gate, talking, doctor, sentence, said, code):
    with opened(gate, doctor) as wire:
        until(wire, "session.created")
        wire.send(said if isinstance(said, str | bytes) else json.dumps(said))
        got, closed, reason = rest(wire)
    assert (closed, reason, json.loads(got[-1])["error"]["code"]) == (1008, code, code)
    parted(talking, wire)
    assert talking.seen == []
    assert leaks(json.dumps(records(gate.journal))) == []


def test_where_the_rule_masks_the_prompt_the_model_sees_no_identifier(gate, talking, bearers):
    talking.script = lambda said: [event("conversation.item.added", item=said["item"])] if "item" in said else []
    call = {"type": "function_call", "call_id": "call_1", "name": "send", "arguments": json.dumps({"to": CANARY_TEXT})}
    output = {"type": "function_call_output", "call_id": "call_1", "output": CANARY_TEXT}
    tool = {"type": "function", "name": "send", "description": CANARY_TEXT, "parameters": {"title": CANARY_NAME}}
    session = {"instructions": CANARY_TEXT, "tools": [tool], "tracing": {"metadata": {"who": CANARY_NAME}}}
    said = [
        {"type": "session.update", "event_id": "event_1", "session": session},
        ask(CANARY_TEXT),
        {"type": "conversation.item.create", "item": call},
        {"type": "conversation.item.create", "item": output},
        {"type": "response.create", "response": {"instructions": CANARY_TEXT, "input": [ask(CANARY_TEXT)["item"]]}},
        {"type": "conversation.item.delete", "item_id": "item_1"},
    ]
    with opened(gate, bearers["sam.lindqvist"]) as wire:
        for each in said:
            wire.send(json.dumps(each))
        for _ in range(3):
            until(wire, "conversation.item.added")
    while len(talking.seen) < len(said):
        time.sleep(0.01)
    assert [each["type"] for each in talking.seen] == [each["type"] for each in said]
    assert leaks(json.dumps(talking.seen)) == []
    assert json.dumps(talking.seen).count("furosemide 40 mg") == 7
    assert talking.seen[-1] == said[-1]


# -- what the model says --------------------------------------------------------------------------------------------

ARGUMENTS = json.dumps({"name": CANARY_NAME, "ssn": CANARY_SSN, "note": CANARY_TEXT})


def called(step=2):
    place = {key: PLACE[key] for key in ("response_id", "item_id", "output_index")}
    kind, pieces = "response.function_call_arguments", range(0, len(ARGUMENTS), step)
    return [
        *(event(f"{kind}.delta", **place, call_id="call_1", delta=ARGUMENTS[at : at + step]) for at in pieces),
        event(f"{kind}.done", **place, call_id="call_1", name="send", arguments=ARGUMENTS),
    ]


def transcribed(step=2):
    kind, place = "conversation.item.input_audio_transcription", {"item_id": "item_7", "content_index": 0}
    pieces = range(0, len(CANARY_TEXT), step)
    return [
        *(event(f"{kind}.delta", **place, delta=CANARY_TEXT[at : at + step]) for at in pieces),
        event(f"{kind}.completed", **place, transcript=CANARY_TEXT, usage={"type": "duration", "seconds": 3}),
    ]


def segments():
    kind, place = "conversation.item.input_audio_transcription", {"item_id": "item_8", "content_index": 0}
    told = [{"id": f"seg_{at}", "text": f"{word} ", "speaker": "A"} for at, word in enumerate(CANARY_TEXT.split(" "))]
    done = event(f"{kind}.completed", **place, transcript=CANARY_TEXT)
    return [*(event(f"{kind}.segment", **place, **each) for each in told), done]


SESSION = {"instructions": CANARY_TEXT, "audio": {"output": {"voice": CANARY_TEXT}}, "novel": {"deep": [CANARY_TEXT]}}
FAILED = {"type": "invalid_request_error", "code": "x", "message": CANARY_TEXT, "event_id": None, "param": CANARY_TEXT}
CHANNELS = [
    ("text", spoken(step=1)),
    ("text, as it was told before", spoken(kind="response.text", step=1)),
    ("what is said", spoken(kind="response.output_audio_transcript", told="transcript", step=1)),
    ("what is said, as it was told before", spoken(kind="response.audio_transcript", told="transcript")),
    ("a tool call", called()),
    ("what was heard", transcribed()),
    ("segments", segments()),
    ("a session", [event("session.updated", session=SESSION)]),
    ("an error", [event("error", error=FAILED)]),
    ("a failure", [event("conversation.item.input_audio_transcription.failed", item_id="i", error=FAILED)]),
    ("limits", [event("rate_limits.updated", rate_limits=[{"name": CANARY_TEXT, "limit": 150000}])]),
    ("a field nobody knows", [event("response.created", response={"id": "r", "novel": {CANARY_NAME: [CANARY_TEXT]}})]),
    (
        "a field nobody knows of a piece",
        [event("response.output_text.delta", **PLACE, delta="a", novel=part) for part in CANARY_TEXT],
    ),
    ("an event's own name", [{"type": "response.created", "event_id": CANARY_SSN, "response": {}}]),
]


@pytest.mark.parametrize(("sentence", "said"), CHANNELS, ids=[case[0] for case in CHANNELS])
def test_no_channel_tells_who(gate, talking, doctor, sentence, said):
    talking.first = [*said, event("input_audio_buffer.cleared")]
    with opened(gate, doctor) as wire:
        got = until(wire, "input_audio_buffer.cleared")
    told = json.dumps(got)
    together = "".join(each.get("delta") or each.get("text") or "" for each in got)
    assert leaks(told) == leaks(together) == []
    assert [each["event_id"] for each in got] == [f"event_{at}" for at in range(len(got))]
    if CANARY_TEXT in json.dumps(said):
        assert "furosemide 40 mg" in told
    if sentence == "segments":
        assert together.strip() == got[-2]["transcript"]
        assert {each["speaker"] for each in got if "speaker" in each} == {"A"}
    if sentence == "a tool call":
        (whole,) = [each["arguments"] for each in got if "arguments" in each]
        assert together == whole
        assert json.loads(whole).keys() == {"name", "ssn", "note"}


def test_an_error_is_not_the_end(gate, talking, doctor):
    talking.first = [event("error", error=FAILED), *spoken()]
    with opened(gate, doctor) as wire:
        assert "furosemide" in json.dumps(until(wire, "response.done"))


def test_what_an_answer_left_open_is_told_before_its_end(gate, talking, doctor):
    pieces = [each for each in spoken() if not each["type"].endswith("text.done") and "_item" not in each["type"]]
    talking.first = [each for each in pieces if each["type"] != "response.content_part.done"]
    with opened(gate, doctor) as wire:
        got = until(wire, "response.done")
    assert "furosemide 40 mg" in "".join(each["delta"] for each in got if "delta" in each)
    assert leaks(json.dumps(got)) == []


SOUND = event("response.output_audio.delta", **PLACE, delta="UGF0aWVudA==")
HOSTILE = [
    ("no JSON", CANARY_TEXT),
    ("bytes", CANARY_TEXT.encode()),
    ("no object", json.dumps([CANARY_TEXT])),
    ("a kind nobody knows", event("response.novel", delta=CANARY_TEXT)),
    ("no kind", {"text": CANARY_TEXT}),
    ("a kind that is none", {"type": 7, "text": CANARY_TEXT}),
    ("sound", SOUND),
    ("text after its end", event("response.output_text.delta", **PLACE, delta=CANARY_TEXT)),
    (
        "a place that is none",
        event("response.output_text.delta", **(PLACE | {"output_index": "x y"}), delta=CANARY_TEXT),
    ),
]


@pytest.mark.parametrize(("sentence", "said"), HOSTILE, ids=[case[0] for case in HOSTILE])
def test_what_cannot_be_masked_ends_the_connection(gate, talking, doctor, sentence, said):
    talking.first = [*spoken("All is well."), said, *spoken()]
    with opened(gate, doctor) as wire:
        got, code, _ = rest(wire)
    assert code == 1008
    assert leaks("".join(got)) == []
    assert json.loads(got[-1])["error"]["code"] in {"answer-unreadable", "content-unreadable"}
    assert kept(gate, wire, "response")[0]["outcome"] == "unmaskable"
    assert leaks(json.dumps(kept(gate, wire))) == []


def test_sound_passes_either_way_where_the_rule_says_so(gate, talking, bearers):
    talking.script = lambda _said: [SOUND | {"note": CANARY_TEXT}]
    with opened(gate, bearers["priya.raman"]) as wire:
        wire.send(json.dumps(APPEND))
        (heard,) = until(wire, "response.output_audio.delta")[1:]
    assert talking.seen == [APPEND]
    assert heard["delta"] == SOUND["delta"]
    assert leaks(json.dumps(heard)) == []
    assert APPEND["audio"] not in json.dumps(kept(gate, wire))


def test_a_server_that_only_transcribes(gate, talking, doctor):
    """vLLM: no model in the address, no ids in the events, several transcriptions on one connection."""
    pieces = [CANARY_TEXT[at : at + 2] for at in range(0, len(CANARY_TEXT), 2)]
    deltas = [{"type": "transcription.delta", "delta": piece} for piece in pieces]
    done = {"type": "transcription.done", "text": CANARY_TEXT, "usage": {"prompt_tokens": 3}}
    talking.script = lambda said: [*deltas, done] if said["type"] == "input_audio_buffer.commit" else []
    with opened(gate, doctor, "/v1/realtime") as wire:
        wire.send(json.dumps({"type": "session.update", "model": "ward-assistant"}))
        for _ in range(2):
            wire.send(json.dumps({"type": "input_audio_buffer.commit", "final": True}))
            got = until(wire, "transcription.done")
            text = "".join(each.get("delta", "") for each in got)
            assert text == got[-1]["text"]
            assert "furosemide 40 mg" in text
            assert leaks(json.dumps(got)) == []
        wire.send(json.dumps({"type": "response.create"}))
        assert rest(wire)[1:] == (1008, "message-unknown")
    assert kept(gate, wire)[0]["action"] == ["transcribe"]


# -- frames ---------------------------------------------------------------------------------------------------------


def test_pings_are_answered_by_the_gateway_and_nothing_of_them_goes_on(gate, talking, doctor):
    def ping(wire):
        assert wire.ping(CANARY_NAME.encode()).wait(5)

    talking.first = [ping, event("session.created", session={})]
    with opened(gate, doctor) as wire:
        assert wire.ping(b"mine").wait(5)
        until(wire, "session.created")
    got = raw(gate, doctor, close=False)
    assert leaks(got) == []


@pytest.mark.parametrize(("code", "seen"), [(1000, 1000), (4001, 4001), (1011, 1011)])
def test_of_a_close_the_code_goes_on_and_never_the_text(gate, talking, doctor, code, seen):
    talking.first = [lambda wire: wire.close(code, CANARY_TEXT[:100])]
    with opened(gate, doctor) as wire:
        assert rest(wire) == ([], seen, "")
    with opened(gate, doctor) as wire:
        wire.close(code, CANARY_TEXT[:100])
    assert {reason for _, reason in talking.closed.values()} <= {"", CANARY_TEXT[:100]}


def test_the_callers_close_reaches_the_model_without_its_text(gate, talking, doctor):
    with opened(gate, doctor) as wire:
        until(wire, "session.created")
        wire.close(1001, CANARY_TEXT[:100])
    assert parted(talking, wire) == (1001, "")
    assert kept(gate, wire, "response")[0]["outcome"] == "complete"


LONG = "The ward is quiet. " * 20_000
"""380 KB, in several frames."""


def test_long_messages_in_many_frames_pass(gate, talking, doctor):
    talking.script = lambda _said: [event("response.output_text.done", **PLACE, text=f"{LONG}\u00e9 {CANARY_NAME}")]
    with opened(gate, doctor) as wire:
        until(wire, "session.created")
        whole = json.dumps(ask(LONG))
        wire.send([whole[at : at + 5000] for at in range(0, len(whole), 5000)])
        (done,) = until(wire, "response.output_text.done")
    assert talking.seen == [ask(LONG)]
    assert done["text"].startswith(f"{LONG}\u00e9 ")
    assert leaks(done["text"]) == []


@pytest.mark.parametrize("side", ["caller", "model"])
def test_a_message_that_is_too_long_ends_the_connection(gate, talking, doctor, side):
    large = json.dumps(ask("x" * (1 << 20)))
    talking.script = lambda _said: [large]
    with opened(gate, doctor) as wire:
        until(wire, "session.created")
        wire.send(large if side == "caller" else json.dumps(ask()))
        _, code, _ = rest(wire)
    assert code == (1009 if side == "caller" else 1001)
    assert len(talking.seen) == (side == "model")


def frame(opcode, payload=b"", fin=True, mask=True, rsv=0):
    """One frame as it stands on the wire, of a caller's, short."""
    first = (0x80 if fin else 0) | rsv | opcode
    key = b"\1\2\3\4"
    masked = bytes(byte ^ key[at % 4] for at, byte in enumerate(payload)) if mask else payload
    return bytes([first, (0x80 if mask else 0) | len(payload)]) + (key if mask else b"") + masked


BAD_FRAMES = [
    ("a control frame in pieces", frame(9, b"x", fin=False)),
    ("a frame without a mask", frame(1, b"{}", mask=False)),
    ("a compressed frame that nobody agreed on", frame(1, b"{}", rsv=0x40)),
    ("an opcode that is none", frame(3, b"{}")),
    ("a piece without a beginning", frame(0, b"{}")),
    ("text that is no UTF-8", frame(1, b"\xff\xfe")),
    ("no frame at all", b"GET / HTTP/1.1\r\n\r\n"),
]


@pytest.mark.parametrize(("sentence", "data"), BAD_FRAMES, ids=[case[0] for case in BAD_FRAMES])
def test_bytes_that_are_no_frames_end_the_connection(gate, talking, doctor, sentence, data):
    got = raw(gate, doctor, body=data)
    assert got.startswith(b"HTTP/1.1 101")
    assert talking.seen == []
    assert got[-4:-2] == b"\x88\x02" or b"\x88\x02" in got
    assert int.from_bytes(got[-2:]) in {1002, 1007}


def test_what_is_said_before_the_answer_to_the_upgrade_is_a_message_like_any_other(gate, talking, doctor):
    got = raw(gate, doctor, body=frame(1, b'{"type":"session.steal"}') + frame(8, b"\x03\xe8"))
    assert b"message-unknown" in got
    assert talking.seen == []


def test_a_caller_that_half_closes_or_goes_ends_it(gate, talking, doctor):
    with opened(gate, doctor) as wire:
        until(wire, "session.created")
        wire.socket.shutdown(socket.SHUT_WR)
        assert parted(talking, wire)[0] == 1001
    while not kept(gate, wire, "response"):
        time.sleep(0.01)
    assert kept(gate, wire, "response")[0]["outcome"] == "client-left"


def test_a_model_that_goes_without_a_word_ends_it(gate, talking, doctor):
    talking.first = [*spoken(CANARY_TEXT[:40])[:10], lambda wire: wire.socket.shutdown(socket.SHUT_RDWR)]
    with opened(gate, doctor) as wire:
        got, code, _ = rest(wire)
    assert code == 1011
    assert leaks("".join(got)) == []
    assert kept(gate, wire, "response")[0]["outcome"] == "upstream-broke"


def test_one_subject_has_so_many_connections_at_most(gate, talking, issuer):
    bearer = issuer.mint("dr.many", ["ward-staff"])
    with contextlib.ExitStack() as stack:
        for _ in range(32):
            stack.enter_context(opened(gate, bearer))
        assert refused(gate, bearer) == (429, "too-many-connections")
    for _ in range(100):
        with contextlib.suppress(InvalidStatus), opened(gate, bearer):
            break
        time.sleep(0.02)
    else:
        pytest.fail("what was closed still counts")


# -- how the upstream answers an upgrade ----------------------------------------------------------------------------

C = CANARY_TEXT.encode()
OPENS = (
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Accept: {accept}\r\n"
)
SPEAKS = bytes([0x81, len(C)]) + C


def answering(head, body=b""):
    """A model server that answers an upgrade with these bytes, `{accept}` filled in as it should be."""

    def script(request):
        key = (request.header("sec-websocket-key") or "") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        accept = base64.b64encode(hashlib.sha1(key.encode(), usedforsecurity=False).digest()).decode()
        return Raw([head.replace("{accept}", accept).encode() + b"\r\n" + body, 0.3])

    return script


UPGRADES = [
    ("as it should", OPENS, 101),
    ("with a wrong answer to the key", OPENS.replace("{accept}", "AAAAAAAAAAAAAAAAAAAAAAAAAAA="), 502),
    ("with no answer to the key", OPENS.replace("Sec-WebSocket-Accept", "X"), 502),
    ("with an extension that nobody asked for", OPENS + "Sec-WebSocket-Extensions: permessage-deflate\r\n", 502),
    ("with a protocol that nobody asked for", OPENS + "Sec-WebSocket-Protocol: mine\r\n", 502),
    ("with two answers", OPENS + "Sec-WebSocket-Accept: {accept}\r\n", 502),
    ("with another protocol", OPENS.replace("websocket", "h2c"), 502),
    ("without a word of an upgrade", "HTTP/1.1 101 Switching Protocols\r\n", 502),
    ("with a 200", "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 400\r\n", 502),
    (
        "with a 200 that is JSON",
        f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(C) + 2}\r\n",
        502,
    ),
    ("with an error", f"HTTP/1.1 403 No\r\nContent-Type: text/plain\r\nContent-Length: {len(C)}\r\n", 403),
    ("with early hints", f"HTTP/1.1 103 Early Hints\r\nLink: {CANARY_TEXT}\r\n", 502),
]


@pytest.mark.parametrize(("sentence", "head", "status"), UPGRADES, ids=[case[0] for case in UPGRADES])
def test_an_upstream_answers_the_upgrade(gateway, model, doctor, sentence, head, status):
    body = SPEAKS if status == 101 or " 101 " in head else b'"' + C + b'"' if "JSON" in sentence else C
    model.script = answering(head, body)
    got = raw(gateway, doctor)
    assert got.split(b" ")[1] == str(status).encode()
    assert leaks(got) == []
    if status == 101:
        assert b"answer-unreadable" in got


# -- as long as it is open ------------------------------------------------------------------------------------------


def test_a_connection_ends_with_its_bearer(gate, talking, issuer):
    bearer = issuer.mint("dr.okafor", ["ward-staff"], exp=int(time.time()) + 2)
    with opened(gate, bearer) as wire:
        until(wire, "session.created")
        began = time.monotonic()
        assert rest(wire)[1] == 1008
        assert time.monotonic() - began < 4
    assert kept(gate, wire, "response")[0]["outcome"] == "expired"
    assert parted(talking, wire)[0] == 1008


def test_a_connection_ends_when_the_policy_no_longer_permits_it(gate, talking, doctor):
    text = gate.policy.read_text()
    with opened(gate, doctor) as wire:
        until(wire, "session.created")
        gate.policy.write_text(text.replace("mask: minimum-necessary", "mask: safe-harbor"))
        with contextlib.suppress(ConnectionClosed):
            for _ in range(200):
                wire.send(json.dumps(ask()))
                time.sleep(0.05)
        assert rest(wire)[1:] == (1008, "connection-changed")
    gate.policy.write_text(text)
    assert kept(gate, wire, "response")[0]["outcome"] == "denied"


EDITS = [
    ("gives its caller no role", "clinician: [ward-staff]", "clinician: [ward-nights]", "no-rule"),
    ("does not believe its bearer", "audience: phigate", "audience: elsewhere", "bearer-refused"),
    ("wants its bearer proven", "audience: phigate", "audience: phigate\n    proof: dpop", "bearer-refused"),
]


@pytest.mark.parametrize(("sentence", "was", "now", "reason"), EDITS, ids=[case[0] for case in EDITS])
def test_a_connection_ends_when_the_policy_now(gate, talking, doctor, sentence, was, now, reason):
    text = gate.policy.read_text()
    assert was in text
    try:
        with opened(gate, doctor) as wire:
            until(wire, "session.created")
            gate.policy.write_text(text.replace(was, now))
            with contextlib.suppress(ConnectionClosed):
                for _ in range(80):
                    wire.send(json.dumps(ask()))
                    time.sleep(0.05)
            assert rest(wire)[1:] == (1008, reason)
    finally:
        gate.policy.write_text(text)
        time.sleep(1.5)
    assert kept(gate, wire, "response")[0]["outcome"] == "denied"


def test_when_the_gateway_goes_away_so_do_its_connections(talking, gate, doctor, tmp_path):
    with Gateway(f"http://{HOST}:{talking.port}", gate.policy, tmp_path / "g") as going, opened(going, doctor) as wire:
        until(wire, "session.created")
        going.process.terminate()
        assert rest(wire)[1] == 1001
        assert going.process.wait(5) == 0
    assert kept(going, wire, "response")[0]["outcome"] == "complete"


def test_the_openai_client_speaks_and_hears(gate, talking, doctor):
    talking.script = lambda said: spoken() if said["type"] == "response.create" else []

    async def talk(bearer):
        client = openai.AsyncOpenAI(base_url=f"{gate.url}/v1", api_key=bearer, max_retries=0)
        async with client.realtime.connect(model="ward-assistant") as wire:
            await wire.session.update(session={"type": "realtime", "output_modalities": ["text"]})
            await wire.conversation.item.create(item=ask()["item"])
            await wire.response.create()
            text, found = "", None
            async for each in wire:
                text += each.delta if each.type == "response.output_text.delta" else ""
                found = each.text if each.type == "response.output_text.done" else found
                if each.type == "response.done":
                    break
            return text, found

    text, found = asyncio.run(talk(doctor))
    assert text == found
    assert "furosemide 40 mg" in text
    assert leaks(text) == []
    with pytest.raises(InvalidStatus):
        asyncio.run(talk("not-a-bearer"))


def test_nothing_of_all_this_is_in_the_log(gate, doctor):
    """Comes last: what the tests above left."""
    log = gate.said()
    assert leaks(log) == []
    assert doctor not in log
    assert not any(canary in json.dumps(records(gate.journal)) for canary in CANARIES)
    assert CANARY_MRN not in log

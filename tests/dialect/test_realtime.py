"""The realtime tables: every text of every event, and what a caller may say."""

import itertools
import json

import pytest

from phigate.dialect.channels import ChunkError
from phigate.dialect.events import Events
from phigate.dialect.realtime import ANSWER, EVENTS, HEARD, ROUTES, _stream, models_named, steers, unreadable
from tests.dialect.test_events import Upper

PLACE = {"response_id": "r", "item_id": "i", "output_index": 0, "content_index": 0}


def events(table=EVENTS, **more):
    return Events(_stream(table), ANSWER, Upper, lambda make: make(str.upper), str.upper, **more)


def run(made, given_):
    return [out for event in given_ for _, out in made.feed(event)]


def delta(text, kind="response.output_text.delta", **more):
    return {"type": kind, "event_id": "x1", **PLACE, "delta": text, **more}


TEXTS = ("response.output_text", "response.text", "response.output_audio_transcript", "response.audio_transcript")


@pytest.mark.parametrize("kind", TEXTS)
@pytest.mark.parametrize("cut", list(itertools.combinations(range(9), 2)))
def test_any_split_gives_the_whole_text_before_its_end(kind, cut):
    text = "ab cd efg"
    pieces = [text[: cut[0]], text[cut[0] : cut[1]], text[cut[1] :]]
    out = run(events(), [*(delta(piece, f"{kind}.delta") for piece in pieces), {"type": f"{kind}.done", **PLACE}])
    assert "".join(each.get("delta", "") for each in out) == "AB CD EFG"
    assert out[-1]["type"] == f"{kind}.done"


def test_answers_that_run_at_once_are_kept_apart():
    one, two = PLACE, PLACE | {"response_id": "s"}
    out = run(
        events(),
        [
            delta("on"),
            delta("ei") | two,
            delta("e"),
            {"type": "response.done", "response": {"id": "r"}},
            delta("ns") | two,
            {"type": "response.done", "response": {"id": "s"}},
        ],
    )
    said = {each["response_id"]: each["delta"] for each in out if "delta" in each}
    assert said == {one["response_id"]: "ONE", "s": "EINS"}


def test_nothing_follows_the_end_of_a_text():
    made = events()
    run(made, [delta("a"), {"type": "response.output_text.done", **PLACE}])
    with pytest.raises(ChunkError):
        made.feed(delta("b"))


def test_a_transcription_may_follow_another():
    piece, done = {"type": "transcription.delta", "delta": "ab c"}, {"type": "transcription.done", "text": "ab c"}
    out = run(events(HEARD), [piece, done, piece, done])
    assert [each.get("delta") or each["text"] for each in out] == ["AB ", "C", "AB C"] * 2


def test_names_of_events_are_counted_by_us():
    out = run(events(), [{"type": "session.created", "event_id": "536-22-8145"}, delta("a b"), {"type": "error"}])
    assert [each.get("event_id") for each in out] == ["event_0", "event_1", None]


def test_events_go_on_after_an_error():
    error = {"type": "error", "error": {"type": "t", "code": "c", "message": "echo", "novel": "echo"}}
    out = run(events(), [error, delta("a b")])
    assert out[0]["error"] == {"type": "t", "code": "c", "message": "ECHO", "novel": "ECHO"}
    assert out[1]["delta"] == "A "


def test_sound_passes_only_where_it_may_and_alone():
    sound = delta("QUJD", "response.output_audio.delta", note="echo")
    with pytest.raises(ChunkError):
        events().feed(sound)
    (out,) = run(events(opaque=True), [sound])
    assert (out["delta"], out["note"]) == ("QUJD", "ECHO")


@pytest.mark.parametrize("kind", ["response.mcp_call_arguments.delta", "", None, 7, ["error"]])
def test_a_kind_that_nobody_knows_is_an_error(kind):
    with pytest.raises(ChunkError):
        events().feed({"type": kind})


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_a_failure_is_an_event_of_the_same_stream(route):
    kind, event = route.stream.failure("code", "message")
    assert route.stream.kind_of(event) == kind
    assert run(events(route.stream.events), [event])[0]["error"]["code"] == "code"


# -- what a caller says -----------------------------------------------------------------------------------------------


def item(**members):
    return {"type": "conversation.item.create", "item": {"type": "message", **members}}


READABLE = [
    {"type": "response.create"},
    {"type": "response.create", "response": {"input": [{"type": "item_reference", "id": "i"}], "tools": None}},
    {"type": "session.update", "session": {"tools": [{"type": "function", "name": "f"}], "audio": {"output": {}}}},
    item(role="user", content=[{"type": "input_text", "text": "x"}]),
    {"type": "conversation.item.create", "item": {"type": "function_call_output", "call_id": "c", "output": "x"}},
]
UNREADABLE = [
    {"type": "input_audio_buffer.append", "audio": "AAAA"},
    item(content=[{"type": "input_audio", "audio": "AAAA"}]),
    item(content=[{"type": "input_text", "text": "x", "image_url": "data:"}]),
    item(content="x"),
    item(content=[{"type": ["input_text"]}]),
    item(novel=1),
    {"type": "conversation.item.create", "item": None},
    {"type": "conversation.item.create", "item": {"type": "mcp_call"}},
    {"type": "response.create", "response": {"input": {"type": "message"}, "prompt": {"id": "p"}}},
    {"type": "response.create", "response": {"input": [item(content=[{"type": "input_image"}])["item"]]}},
    {"type": "session.update", "session": {"tools": [{"type": "mcp", "server_url": "http://x"}]}},
    {"type": "session.update", "session": {"tools": {"type": "mcp"}}},
]


@pytest.mark.parametrize("message", READABLE, ids=json.dumps)
def test_text_is_readable(message):
    assert not unreadable(message)


@pytest.mark.parametrize("message", UNREADABLE, ids=json.dumps)
def test_everything_else_is_not(message):
    assert unreadable(message)


def test_tiny_limits_steer():
    assert steers({"response": {"max_output_tokens": 2}}) == ("max_output_tokens",)
    assert steers({"session": {"max_response_output_tokens": 1}}) == ("max_response_output_tokens",)
    assert steers({"response": {"max_output_tokens": "inf"}}) == steers({"response": {"max_output_tokens": 300}}) == ()


def test_every_model_that_a_message_names_is_told():
    heard = {"audio": {"input": {"transcription": {"model": "b"}}}, "input_audio_transcription": {"model": "c"}}
    message = {"model": "m", "session": {"model": "a", **heard}}
    assert list(models_named(message)) == [(None, "m"), (None, "a"), ("transcribe", "c"), ("transcribe", "b")]

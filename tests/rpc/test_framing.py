"""How gRPC writes calls: messages at any chunking, statuses, deadlines."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phigate.exchange import Exchange, Refusal
from phigate.rpc import framing
from phigate.rpc.framing import FrameError, Frames, frame


@given(st.lists(st.binary(max_size=20), max_size=4), st.lists(st.integers(0, 120), max_size=6))
def test_messages_come_out_whole_at_any_chunking(messages, places):
    data = b"".join(map(frame, messages))
    marks = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    frames = Frames(20)
    assert [each for a, b in itertools.pairwise(marks) for each in frames.feed(data[a:b])] == messages
    assert not frames.partial


WRONG = [
    ("a compressed message", b"\1\0\0\0\1a", 415, "encoding-unsupported"),
    ("a flag that there is not", b"\2\0\0\0\1a", 400, "malformed"),
    ("one longer than its limit, as soon as it says so", b"\0\0\0\0\x15", 413, "too-large"),
    ("one of four gigabytes", b"\0\xff\xff\xff\xff", 413, "too-large"),
]


@pytest.mark.parametrize(("sentence", "data", "status", "reason"), WRONG, ids=[case[0] for case in WRONG])
def test_what_is_not_read(sentence, data, status, reason):
    with pytest.raises(FrameError) as error:
        Frames(20).feed(data)
    assert (error.value.status, error.value.reason) == (status, reason)


def test_a_part_of_a_message_is_known_as_one():
    frames = Frames(20)
    assert (frames.feed(frame(b"abc")[:6]), frames.partial, frames.size) == ([], True, 6)


TIMEOUTS = [
    *((b"1S", 1.0), (b"250m", 0.25), (b"2H", 7200.0), (b"5M", 300.0), (b"10u", 1e-5), (b"3n", 3e-9)),
    *((b"", None), (b"S", None), (b"-1S", None), (b"1", None), (b"123456789S", None), (b"1.5S", None), (b"1S\n", None)),
]


@pytest.mark.parametrize(("value", "seconds"), TIMEOUTS)
def test_a_deadline_is_read_as_the_protocol_writes_it(value, seconds):
    assert framing.timeout(value) == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize(("seconds", "value"), [(1.5, b"1500m"), (-1.0, b"1m"), (1e9, b"99999999m")])
def test_what_is_left_of_it_is_passed_on(seconds, value):
    assert framing.timeout_field(seconds) == value


@pytest.mark.parametrize(
    ("value", "known"),
    [
        *((b"application/grpc", True), (b"application/grpc+proto", True), (b"Application/GRPC; a=b", True)),
        *((b"application/grpc-web", False), (b"application/grpc+json", False), (b"application/json", False)),
        (b"", False),
    ],
)
def test_which_content_is_grpc(value, known):
    assert framing.is_grpc(value) is known


@given(st.text(max_size=60))
def test_a_message_comes_back_and_is_a_plain_field(text):
    value = framing.quoted(text)
    assert all(0x20 <= byte < 0x7F for byte in value)
    assert framing.unquoted(value) == text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")


STATUSES = [
    (401, "bearer-missing", 16),
    (403, "no-rule", 7),
    (403, "approval-required", 7),
    (404, "route-unknown", 12),
    (404, "model-unknown", 5),
    (400, "malformed", 3),
    (413, "too-large", 8),
    (415, "content-unreadable", 9),
    (502, "answer-unreadable", 13),
    (503, "not-decided", 14),
    (503, "deadline-passed", 4),
]


@pytest.mark.parametrize(("status", "reason", "code"), STATUSES, ids=[case[1] for case in STATUSES])
def test_every_refusal_has_its_status(status, reason, code):
    assert framing.refused(Refusal(status, reason, "Why.")) == (code, f"{reason}: Why.")


UPSTREAM = [
    ([(b"grpc-status", b"0")], (0, "")),
    ([(b"grpc-status", b"5"), (b"grpc-message", b"no%20model")], (5, "no model")),
    ([], (2, "")),
    ([(b"grpc-status", b"0"), (b"grpc-status", b"5")], (2, "")),
    ([(b"grpc-status", b"99"), (b"grpc-message", b"x")], (2, "")),
    ([(b"grpc-status", b"-1")], (2, "")),
    ([(b"grpc-status", b"x")], (2, "")),
]


@pytest.mark.parametrize(("fields", "expected"), UPSTREAM)
def test_a_servers_status_is_one_that_there_is(fields, expected):
    assert framing.upstream_status(fields) == expected


def test_every_status_has_one_of_http_for_the_record():
    assert [framing.http_status(code) for code in (0, 5, 7, 14, 16, 99, -1)] == [200, 404, 403, 503, 401, 500, 500]


def test_an_answers_head_carries_its_marks():
    head = dict(framing.head(Exchange("ex-1", 0.0)))
    assert (head[b":status"], head[b"phi-exchange"], head[b"phi-decision"]) == (b"200", b"ex-1", b"permit")
    assert b"cache-control" not in head
    assert framing.trailers(5, "no\nmodel") == [(b"grpc-status", b"5"), (b"grpc-message", b"no%0Amodel")]
    assert framing.trailers(0) == [(b"grpc-status", b"0")]


def test_whoever_asks_for_too_much_is_told_when_to_ask_again():
    assert framing.status_of(Refusal(429, "too-many-requests", "")) == framing.EXHAUSTED
    assert (b"grpc-retry-pushback-ms", b"2000") in framing.trailers(framing.EXHAUSTED, "", 2)
    assert b"grpc-retry-pushback-ms" not in dict(framing.trailers(framing.EXHAUSTED))

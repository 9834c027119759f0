"""What a gateway writes beside a flow, and how it is read again: only in its own shape."""

import pytest

from phigate.host.recordings.flowfile import NoFlow
from phigate.host.recordings.recorded import LEFT_OUT, metadata, recorded

ASKED = {"exchange": "ex-1", "model": "ward", "subject": {"id": "ada", "roles": ["clinician"]}, "body": {"a": 1}}


def state(kept=None, **changes):
    kept = metadata(ASKED, None, made="live", time=1.5) if kept is None else kept
    return {"type": "http", "metadata": {"phigate": kept}, "request": {"content": b"{}"}, "websocket": None} | changes


def test_records_stand_beside_a_flow_without_what_stands_in_it():
    everything = ASKED | dict.fromkeys(LEFT_OUT, "x") | {"revealed": ["MRN:00ff", "MRN:11ff", "PERSON:22ff"]}
    kept = metadata(everything, everything, made="journal", time=2.0)
    assert (
        kept["request"]
        == kept["response"]
        == {
            **{name: ASKED[name] for name in ("exchange", "model", "subject")},
            "revealed": ["MRN", "PERSON"],
        }
    )
    assert (kept["made"], kept["time"]) == ("journal", 2.0)


def test_what_was_written_is_read():
    found = recorded(state())
    assert (found.time, found.response, found.body) == (1.5, None, b"{}")
    assert found.request == {name: ASKED[name] for name in ("exchange", "model", "subject")}


NOT_RECORDED = [
    ("a flow that no gateway made", {"metadata": {}}),
    ("metadata of another type", {"metadata": ["phigate"]}),
    ("a flow that is no exchange", {"type": "tcp"}),
]


@pytest.mark.parametrize(("sentence", "changes"), NOT_RECORDED, ids=[case[0] for case in NOT_RECORDED])
def test_a_flow_without_records_is_said_to_have_none(sentence, changes):
    with pytest.raises(NoFlow, match="not-recorded"):
        recorded(state(**changes))


MESSAGES = [
    {"from": "caller", "refused": None, "findings": {"MRN": 1}, "revealed": ["MRN:00ff"], "seq": 7},
    {"from": "model", "refused": None, "findings": {}},
]


def test_the_messages_of_a_websocket_are_read_with_their_records():
    kept = metadata(ASKED, None, MESSAGES, made="live", time=1.5)
    messages = [[1, True, b"one", 0.0, False, False], [1, False, b"two", 0.0, False, False], [1, True, b"three"]]
    found = recorded(state(kept, websocket={"messages": messages})).messages
    assert [content for _, content in found] == [b"one", b"two"]
    assert found[0][0] == {"from": "caller", "refused": None, "findings": {"MRN": 1}, "revealed": ["MRN"]}


@pytest.mark.parametrize("websocket", [None, 7, {"messages": 7}, {"messages": [7, [1, 2, 3], [1, True, "x"]]}])
def test_messages_of_another_shape_are_none(websocket):
    kept = metadata(ASKED, None, MESSAGES, made="live", time=1.5)
    assert recorded(state(kept, websocket=websocket)).messages == ()


def test_nobody_asked_is_told_apart():
    with pytest.raises(NoFlow, match="nobody"):
        recorded(state(metadata(None, None, made="live", time=1.5)))


GOOD = metadata(ASKED, None, made="live", time=1.5)
FORGED = [
    ("no dictionary", "x"),
    ("another version", GOOD | {"v": 2}),
    ("bytes in a field", GOOD | {"request": {"subject": b"\x1b[2J"}}),
    ("a request that is none", GOOD | {"request": []}),
    ("an answer that is none", GOOD | {"response": "x"}),
    ("no time", GOOD | {"time": "1"}),
    ("a time without end", GOOD | {"time": float("inf")}),
    ("a time before all others", GOOD | {"time": -1.0}),
    ("messages that are none", GOOD | {"messages": None}),
    ("a message that is none", GOOD | {"messages": ["x"]}),
    ("a time that is none", GOOD | {"time": float("nan")}),
]


@pytest.mark.parametrize(("sentence", "kept"), FORGED, ids=[case[0] for case in FORGED])
def test_metadata_of_another_shape_is_none(sentence, kept):
    with pytest.raises(NoFlow, match="metadata"):
        recorded(state(kept))


@pytest.mark.parametrize("changes", [{"request": None}, {"request": {"content": "x"}}])
def test_content_of_another_shape_counts_as_none(changes):
    assert recorded(state(**changes)).body == b""

"""What a gateway writes beside a flow, and how it is read again: only in its own shape."""

import pytest

from phigate.host.flowfile import NoFlow
from phigate.host.recorded import LEFT_OUT, metadata, recorded

ASKED = {"exchange": "ex-1", "model": "ward", "subject": {"id": "ada", "roles": ["clinician"]}, "body": {"a": 1}}


def state(kept=None, **changes):
    kept = metadata(ASKED, None, made="live", time=1.5) if kept is None else kept
    return {"type": "http", "metadata": {"phigate": kept}, "request": {"content": b"{}"}, "websocket": None} | changes


def test_records_stand_beside_a_flow_without_what_stands_in_it():
    everything = ASKED | dict.fromkeys(LEFT_OUT, "x")
    kept = metadata(everything, everything, made="journal", time=2.0)
    assert kept["request"] == kept["response"] == {name: ASKED[name] for name in ("exchange", "model", "subject")}
    assert (kept["made"], kept["time"]) == ("journal", 2.0)


def test_what_was_written_is_read():
    found = recorded(state())
    assert (found.time, found.response, found.body, found.told) == (1.5, None, b"{}", ())
    assert found.request == {name: ASKED[name] for name in ("exchange", "model", "subject")}


def test_what_the_caller_said_on_a_websocket_is_read():
    messages = [[1, True, b"one", 0.0, False, False], [1, False, b"two", 0.0, False, False], "three", [1, True, "x"]]
    assert recorded(state(websocket={"messages": messages})).told == (b"one",)


NOT_RECORDED = [
    ("a flow that no gateway made", {"metadata": {}}),
    ("metadata of another type", {"metadata": ["phigate"]}),
    ("a flow that is no exchange", {"type": "tcp"}),
]


@pytest.mark.parametrize(("sentence", "changes"), NOT_RECORDED, ids=[case[0] for case in NOT_RECORDED])
def test_a_flow_without_records_is_said_to_have_none(sentence, changes):
    with pytest.raises(NoFlow, match="not-recorded"):
        recorded(state(**changes))


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
    ("a time that is none", GOOD | {"time": float("nan")}),
]


@pytest.mark.parametrize(("sentence", "kept"), FORGED, ids=[case[0] for case in FORGED])
def test_metadata_of_another_shape_is_none(sentence, kept):
    with pytest.raises(NoFlow, match="metadata"):
        recorded(state(kept))


@pytest.mark.parametrize("changes", [{"request": None}, {"request": {"content": "x"}}, {"websocket": {"messages": 7}}])
def test_content_of_another_shape_counts_as_none(changes):
    found = recorded(state(**changes))
    assert (found.body in {b"", b"{}"}, found.told) == (True, ())

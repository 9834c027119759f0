import pytest

from phigate.audit.index.database import open_index
from phigate.audit.index.exchanges import Wanted
from phigate.audit.questions import replay
from tests.journal.samples import NOW, put, request, response

T = NOW.timestamp()
FIRST = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "How is she?"}]
ANSWER = {"role": "assistant", "content": "Well."}


def asking(exchange, messages, **more):
    return "request", request(exchange, **more) | {"body": {"messages": messages}, "purpose": "treatment"}


def played(folder, *rows, wanted=None):
    put(folder, "gw-20261123T150405Z-0", *rows)
    with open_index(folder) as index:
        return list(replay.steps(index, wanted or Wanted(session="s1")))


def beside(step):
    return [text for text, _ in step.notes]


def test_a_question_and_its_answer(tmp_path):
    more = {"mask": "m", "usage": {"output": 4}, "seconds": {"total": 1.25}, "body": {"choices": [{"message": ANSWER}]}}
    ask, answer = played(tmp_path, asking("ex-1", FIRST), ("response", response("ex-1") | more))
    assert (ask.at, ask.side, ask.said) == (T + 1, "caller", (("system", "Be brief."), ("", "How is she?")))
    assert beside(ask) == ["ada", "clinician", "permit r", "for treatment", "chat", "of ward", "found PERSON 1", "ex-1"]
    assert (answer.at, answer.side, answer.said) == (T + 2, "model", (("", "Well."),))
    assert beside(answer) == ["complete, status 200", "mask m", "found MRN 2", "1.2 s", "tokens 4 output"]


def in_parts(side, *texts):
    return [("part", {"exchange": "ex-1", "part": n, "side": side, "body": text}) for n, text in enumerate(texts)]


@pytest.mark.parametrize("more", [{"body": None, "parts": 2}, {"body": "Well."}], ids=["in parts", "in both"])
def test_a_streamed_answer_is_a_step_for_each_part(tmp_path, more):
    end = ("response", response("ex-1") | {"streamed": True} | more)
    _, *steps = played(tmp_path, asking("ex-1", FIRST), *in_parts("model", "We", "ll."), end)
    assert [(step.said, step.goes_on) for step in steps] == [((("", "We"),), False), ((("", "ll."),), True), ((), True)]


def test_a_stream_that_was_broken_off_is_told_as_far_as_it_went(tmp_path):
    _, *steps = played(tmp_path, asking("ex-1", FIRST), *in_parts("model", "We", "ll"))
    assert [step.said for step in steps] == [(("", "We"),), (("", "ll"),)]


def test_what_was_too_large_for_a_record_is_told_whole(tmp_path):
    prompt = '{"messages":[{"role":"user","content":"How is she?"}]}'
    answer = '{"choices":[{"message":{"role":"assistant","content":"Well."}}]}'
    ask, told = played(
        tmp_path,
        *in_parts("caller", prompt[:20], prompt[20:]),
        ("request", request("ex-1") | {"body": None, "parts": 2}),
        *in_parts("model", answer[:20], answer[20:]),
        ("response", response("ex-1") | {"body": None, "parts": 2}),
    )
    assert (ask.said, told.said, told.goes_on) == ((("", "How is she?"),), (("", "Well."),), False)


def test_only_what_is_new_of_a_conversation_is_told(tmp_path):
    second = [*FIRST, ANSWER, {"role": "user", "content": "And today?"}]
    steps = played(
        tmp_path, asking("ex-1", FIRST), asking("ex-2", second), asking("ex-3", second), asking("ex-4", FIRST[1:])
    )
    assert [step.said for step in steps[1:]] == [(("", "And today?"),), (("", "And today?"),), (("", "How is she?"),)]
    assert "3 told before" in beside(steps[1])


def test_exchanges_at_once_are_told_in_the_order_of_their_records(tmp_path):
    rows = [
        asking("ex-1", FIRST),
        asking("ex-2", FIRST),
        ("response", response("ex-2")),
        ("response", response("ex-1")),
    ]
    steps = played(tmp_path, *rows)
    assert [(step.exchange, step.side) for step in steps] == [
        ("ex-1", "caller"),
        ("ex-2", "caller"),
        ("ex-2", "model"),
        ("ex-1", "model"),
    ]


def test_what_is_no_turn_stands_apart(tmp_path):
    held = request("ex-1", verb="hold")
    held["decision"] |= {"reason": "approval-required", "ticket": "t-1"}
    rows = [
        ("hold", held),
        ("grant", {"exchange": "ex-1", "by": [{"issuer": "https://idp.example", "id": "grace"}]}),
        asking("ex-1", FIRST),
    ]
    rows += [("recovered", {"exchange": "ex-1", "outcome": "interrupted", "file": "f"})]
    hold, grant, _, lost = played(tmp_path, *rows)
    assert {"hold r", "because approval-required", "ticket t-1"} <= set(beside(hold))
    assert [(step.side, beside(step)) for step in (grant, lost)] == [
        ("aside", ["grant: given by grace of https://idp.example, record gw seq 1"]),
        ("aside", ["recovered: outcome interrupted"]),
    ]


def test_messages_of_a_connection(tmp_path):
    sent = (
        "message",
        {"exchange": "ex-1", "from": "caller", "refused": "no", "findings": {"MRN": 1}, "body": "hi"},
    )
    told = ("message", {"exchange": "ex-1", "from": "model", "refused": None, "findings": {}, "body": {"a": 1}})
    _, ask, answer = played(tmp_path, asking("ex-1", FIRST), sent, told)
    assert (ask.side, ask.said, beside(ask)) == ("caller", (("", "hi"),), ["refused: no", "found MRN 1"])
    assert (answer.side, answer.said[0][1]) == ("model", '{\n  "a": 1\n}')


def test_what_an_id_means(tmp_path):
    put(tmp_path, "gw-20261123T150405Z-0", asking("ex-1", FIRST))
    with open_index(tmp_path) as index:
        assert replay.session_of(index, "s1") == Wanted(session="s1")
        assert replay.session_of(index, "ex-1") == Wanted(exchange="ex-1")
        assert replay.session_of(index, "ex-2") is None


@pytest.mark.parametrize("odd", [None, 5, "text", [1, {"a": None}], {"id": [1], "verb": {}, "total": "slow"}], ids=repr)
@pytest.mark.parametrize(
    "name", ["subject", "decision", "findings", "seconds", "usage", "action", "body", "model", "mask"]
)
def test_a_field_of_another_shape_is_told_as_it_is(name, odd):
    records = [
        dict(fields) | {"kind": kind, "ts": "soon", name: odd}
        for kind, fields in (asking("e", FIRST), ("response", response("e")))
    ]
    assert [step.side for step in replay.of_exchange(records)] == ["caller", "model"]

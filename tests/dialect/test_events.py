"""Pieces of several texts, interleaved in chunks: each comes out whole, before the chunk that ends it."""

import json
from collections import deque
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phigate.dialect.channels import MOST_HELD, ChunkError
from phigate.dialect.events import Event, Events, Stream
from phigate.dialect.openai import ANSWER, STREAM
from phigate.dialect.tree import TIME, Fields


class Upper:
    """A channel that holds back everything after the last space, and renders in capitals."""

    def __init__(self):
        self.rest = ""

    def feed(self, text):
        done, space, self.rest = (self.rest + text).rpartition(" ")
        return (done + space).upper()

    def close(self):
        rest, self.rest = self.rest, ""
        return rest.upper()


def chunks():
    return Plain(STREAM, ANSWER, Upper, lambda make: make(str.upper), lambda text: text.replace("5368145", "[US_SSN]"))


class Plain(Events):
    """Events of a protocol that has one kind of them."""

    def feed(self, event):
        return [made for _, made in super().feed(event)]

    def close(self):
        return [made for _, made in super().close()]


def delta(index=0, finish=None, **fields):
    return {
        "id": "c",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "choices": [{"index": index, "delta": fields, "finish_reason": finish}],
    }


def run(made, given_):
    return [out for chunk in given_ for out in made.feed(chunk)] + made.close()


def text_of(out, index, *path):
    texts = []
    for chunk in out:
        for choice in chunk.get("choices", []):
            node = choice
            if choice["index"] != index:
                continue
            for step in path:
                if isinstance(node, list):
                    node = next((item for item in node if item.get("index") == step), {})
                else:
                    node = (node or {}).get(step, {})
            if isinstance(node, str):
                texts.append(node)
    return "".join(texts)


@given(st.text("ab cd", min_size=1, max_size=40), st.data())
def test_any_split_gives_the_whole_text_before_the_finish(text, data):
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    out = run(chunks(), [*(delta(content=piece) for piece in pieces), delta(finish="stop")])
    assert text_of(out, 0, "delta", "content") == text.upper()
    assert out[-1]["choices"][0]["finish_reason"] == "stop"


def test_choices_are_kept_apart():
    out = run(
        chunks(),
        [
            delta(0, content="on"),
            delta(1, content="ei"),
            delta(0, content="e"),
            delta(1, content="ns"),
            delta(0, "stop"),
            delta(1, "stop"),
        ],
    )
    assert text_of(out, 0, "delta", "content") == "ONE"
    assert text_of(out, 1, "delta", "content") == "EINS"


def test_channels_of_one_choice_are_kept_apart():
    out = run(
        chunks(), [delta(reasoning="thin", content="an"), delta(reasoning="king", content="swer"), delta(finish="stop")]
    )
    assert text_of(out, 0, "delta", "reasoning") == "THINKING"
    assert text_of(out, 0, "delta", "content") == "ANSWER"


def test_a_field_nobody_knows_is_a_channel_of_its_own():
    out = run(chunks(), [delta(novel={"deep": ["x"]}), delta(novel={"deep": ["y"]})])
    joined = "".join(c["choices"][0]["delta"]["novel"]["deep"][0] for c in out)
    assert joined == "XY"


def call(index, **function):
    return {"tool_calls": [{"index": index, "function": function}]}


def test_parallel_tool_calls_are_joined_before_they_go_out():
    given_ = [
        delta(
            tool_calls=[{"index": 0, "id": "call_1", "type": "function", "function": {"name": "send", "arguments": ""}}]
        ),
        delta(**call(0, arguments='{"to":"ja\\u00')),
        delta(**call(1, arguments='{"n":')),
        delta(**call(0, arguments='e9n"}')),
        delta(**call(1, arguments="1}")),
        delta(finish="tool_calls"),
    ]
    out = run(chunks(), given_)
    assert json.loads(text_of(out, 0, "delta", "tool_calls", 0, "function", "arguments")) == {"TO": "JAÉN"}
    assert json.loads(text_of(out, 0, "delta", "tool_calls", 1, "function", "arguments")) == {"N": 1}
    assert text_of(out, 0, "delta", "tool_calls", 0, "function", "name") == "send"
    assert out[-1]["choices"][0]["finish_reason"] == "tool_calls"


def test_completions_carry_text_in_the_choice_itself():
    given_ = [{"id": "c", "choices": [{"index": 0, "text": part, "finish_reason": None}]} for part in ("a b", "c")]
    out = run(chunks(), [*given_, {"id": "c", "choices": [{"index": 0, "text": "", "finish_reason": "stop"}]}])
    assert text_of(out, 0, "text") == "A BC"


def test_per_token_lists_never_go_out():
    out = run(
        chunks(),
        [
            {
                "choices": [
                    {
                        "index": 0,
                        "delta": {"content": "a "},
                        "logprobs": {"content": [{"token": "a"}]},
                        "token_ids": [7],
                    }
                ]
            }
        ],
    )
    assert "token" not in json.dumps(out)


def test_chunks_that_say_nothing_yet_are_left_out():
    made = chunks()
    assert made.feed(delta(content="hel")) == []
    assert len(made.feed(delta(role="assistant", content=""))) == 1


def test_usage_and_empty_choices_pass():
    usage = {"id": "c", "choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2}}
    assert chunks().feed(usage) == [usage]


def test_an_error_event_is_rendered():
    assert chunks().feed({"error": {"message": "echo of a prompt", "code": 500}}) == [
        {"error": {"message": "ECHO OF A PROMPT", "code": 500}}
    ]


@pytest.mark.parametrize(
    "bad",
    [
        "text",
        7,
        None,
        {"choices": "x"},
        {"choices": [1]},
        {"choices": [{"index": "0"}]},
        {"choices": [{"index": True}]},
    ],
)
def test_what_is_no_chunk_is_an_error(bad):
    with pytest.raises(ChunkError):
        chunks().feed(bad)


def test_the_number_of_channels_is_bounded():
    made = chunks()
    many = (delta(index, **{f"k{index}": "x"}) for index in range(5000))
    with pytest.raises(ChunkError):
        deque(map(made.feed, many), maxlen=0)


def test_the_last_piece_comes_before_the_finish_and_in_order():
    given_ = [delta(content="one two thr"), delta(content="ee fo", finish="stop")]
    out = run(chunks(), given_)
    assert [c["choices"][0].get("delta", {}).get("content", "") for c in out] == ["ONE TWO ", "THREE FO"]
    assert [c["choices"][0]["finish_reason"] for c in out] == [None, "stop"]


@pytest.mark.parametrize(
    ("sentence", "second"),
    [
        ("text after the finish", delta(content="-8145")),
        ("a name in pieces", delta(tool_calls=[{"index": 0, "function": {"name": "8145"}}])),
        ("a role in pieces", delta(role="8145")),
    ],
)
def test_what_would_make_a_text_outside_of_the_channels_is_an_error(sentence, second):
    made = chunks()
    made.feed(delta(role="536", tool_calls=[{"index": 0, "function": {"name": "536"}}]))
    made.feed(delta(content="SSN 536-22", finish="stop"))
    with pytest.raises(ChunkError):
        made.feed(second)


def test_a_name_comes_at_once_or_not_at_all():
    made, named = chunks(), {"index": 0, "function": {"name": "send", "arguments": ""}}
    assert made.feed(delta(tool_calls=[named])) == made.feed(delta(tool_calls=[named]))
    assert made.feed(delta(tool_calls=[named | {"index": 1, "function": {"name": "note"}}]))
    with pytest.raises(ChunkError):
        made.feed(delta(tool_calls=[named | {"function": {"name": "er"}}]))


def test_what_nobody_knows_beside_the_choices_is_a_text_as_well():
    out = run(
        chunks(),
        [
            {"id": "c", "choices": [], "content": "te", "novel": {"a": "te"}, "usage": {"prompt_tokens": 1}},
            {"id": "c", "choices": [], "content": "xt", "novel": {"a": "xt"}},
        ],
    )
    assert [chunk.get("content") for chunk in out if chunk.get("content")] == ["TEXT"]
    assert [chunk["novel"]["a"] for chunk in out if chunk.get("novel", {}).get("a")] == ["TEXT"]
    assert out[0]["usage"] == {"prompt_tokens": 1}


def test_nothing_follows_an_error():
    made = chunks()
    made.feed({"error": {"message": "one"}})
    assert made.feed({"error": {"message": "two"}}) == []


@pytest.mark.parametrize("index", [-1, 10**9, True])
def test_a_place_in_a_list_is_one_that_a_list_can_have(index):
    with pytest.raises(ChunkError):
        chunks().feed(delta(tool_calls=[{"index": index, "function": {"arguments": "{"}}]))


def test_what_is_held_until_it_is_whole_is_bounded():
    made, half = chunks(), delta(tool_calls=[{"index": 0, "function": {"arguments": "x" * (MOST_HELD // 2)}}])
    assert made.feed(half) == made.feed(half) == []
    with pytest.raises(ChunkError):
        made.feed(half)


def test_the_rest_of_a_text_that_an_error_cut_does_not_go_out():
    made = chunks()
    made.feed(delta(content="536-22-"))
    out = made.feed(delta(content="8145") | {"error": {"message": "broken"}}) + made.close()
    assert "8145" not in json.dumps(out)


BLOCKS = Stream(
    "text/event-stream",
    {
        "start": Event(
            whose=("index",),
            under="block",
            begins={("text",): ("piece", {"delta": {"type": "text"}}, ("delta", "text"))},
        ),
        "piece": Event(whose=("index",), under="delta"),
        "stop": Event(whose=("index",), whole=True, ends="own"),
        "open": Event(whole=True, bare=("message", "content")),
    },
    lambda code, message: ("error", {"error": {"code": code, "message": message}}),
    kind="type",
)


def blocks(*events):
    made = Events(BLOCKS, ANSWER, Upper, lambda make: make(str.upper), str)
    return [out for event in events for _, out in made.feed(event)]


def test_a_text_may_begin_where_its_block_starts_and_its_rest_is_told_as_a_piece():
    start = {"type": "start", "index": 0, "block": {"type": "text", "text": "one two", "title": "al l"}}
    stop = {"type": "stop", "index": 0}
    assert blocks(start, stop) == [
        start | {"block": {"type": "text", "text": "ONE ", "title": "AL L"}},
        {"type": "piece", "index": 0, "delta": {"type": "text", "text": "TWO"}},
        stop,
    ]
    piece = {"type": "piece", "index": 0, "delta": {"type": "text", "text": "three"}}
    assert [out.get("delta", {}).get("text") for out in blocks(start, piece, stop)] == [None, "TWOTHREE", None]


def test_a_block_starts_even_where_its_text_is_held_back():
    start = {"type": "start", "index": 0, "block": {"type": "text", "text": "one"}}
    assert blocks(start) == [start | {"block": {"type": "text", "text": ""}}]


def test_a_text_before_its_place_is_an_error():
    assert blocks({"type": "open", "message": {"content": []}}) == [{"type": "open", "message": {"content": []}}]
    with pytest.raises(ChunkError):
        blocks({"type": "open", "message": {"content": ["536-22-"]}})


@pytest.mark.parametrize("index", ["0", "a", 1.0, True])
def test_whose_text_it_is_is_told_by_a_number(index):
    with pytest.raises(ChunkError):
        blocks({"type": "piece", "index": index, "delta": {"text": "536-22-"}})


def test_a_place_of_an_event_is_looked_up_where_a_whole_answer_has_it():
    piece = Event(
        whose=("index",), under="delta", told=frozenset({"note"}), at=("all", "index"), ways={("part",): ("whole",)}
    )
    asked: list = []
    stream = replace(BLOCKS, events={"piece": piece})
    made = Events(stream, ANSWER, Upper, lambda make: make(str.upper), str, said=lambda way, _: asked.append(way))
    made.feed({"type": "piece", "index": 2, "delta": {"part": 7, "more": {"deep": 7}, "note": {"a": "b"}}})
    assert asked == [("all", 2, "whole"), ("all", 2, "more", "deep"), ("all", 2, "note")]


# -- ends, marks and members that stand in for others ---------------------------------------------------------------

TOKENS = Fields(
    constant=frozenset({"model"}),
    drop=frozenset(),
    json=frozenset(),
    prose=frozenset({"text", "all"}),
    blank={"id": 0},
    forms={"at": TIME},
)
NOON = "2026-01-01T12:00:00Z"


def tokens(**how):
    entry = Event(keep=frozenset({"id", "special"}), silent="special", **how)
    stream = Stream("text/event-stream", {"": entry}, lambda code, message: ("", {"error": message}))
    return Plain(stream, TOKENS, Upper, lambda make: make(str.upper), lambda text: text)


def token(text, *, special=False, **more):
    return {"model": "m", "at": NOON, "token": {"id": 450, "text": text, "special": special}, **more}


def test_a_mark_is_no_piece_of_the_text_that_goes_on_after_it():
    out = run(tokens(), [token("on"), token("</s> 536", special=True), token("e")])
    assert "".join(event["token"]["text"] for event in out) == "ONE"
    assert [event["token"]["special"] for event in out] == [True, False]


def test_an_event_that_carries_the_rest_of_a_text_has_what_stands_in_for_others_and_what_has_a_form():
    (out,) = run(tokens(), [token("one")])
    assert out == {"model": "m", "at": NOON, "token": {"id": 0, "text": "ONE", "special": False}}


def test_the_text_as_a_whole_says_that_its_pieces_are_over():
    given = [token("a b"), token("", special=True, all="a b"), token("more")]
    made = tokens(over=("all",), told=frozenset({"all"}))
    out = [event for each in given[:2] for event in made.feed(each)]
    assert [event["token"]["text"] for event in out] == ["A ", "B", ""]
    assert out[-1]["all"] == "A B"
    for late in (given[2], token("", all="c"), token("", all=""), token("more", special=True, all="c")):
        with pytest.raises(ChunkError):
            made.feed(late)


def test_a_text_as_a_whole_that_is_empty_is_an_end_as_well():
    made = tokens(over=("all",), told=frozenset({"all"}))
    assert made.feed(token("", all=""))
    with pytest.raises(ChunkError):
        made.feed(token("more"))


@pytest.mark.parametrize("reason", ["stop", {"type": "stop"}])
def test_a_member_s_member_says_that_a_text_is_over(reason):
    made = tokens(over=("info.reason",))
    out = [event for each in (token("on", info={"reason": None}), token("e", info={})) for event in made.feed(each)]
    assert out == []
    (last,) = made.feed(token("", info={"reason": reason}))
    assert last["token"]["text"] == "ONE"


def test_a_reason_that_is_a_text_is_an_error():
    with pytest.raises(ChunkError):
        tokens(over=("info.reason",)).feed(token("a", info={"reason": "because of jane"}))


EITHER = Stream("text/event-stream", {"": Event(either=True)}, lambda code, _: ("", {"error": code}))


def test_what_is_named_beside_it_is_read_together_with_its_name_in_pieces():
    fields = Fields(frozenset({"name"}), frozenset(), frozenset(), frozenset({"note"}), named={"data": "name"})
    made = Plain(EITHER, fields, Upper, lambda make: make(lambda text: text.replace("mrn: 7731", "mrn: [MRN]")), str)
    pieces = [[{"name": "mrn", "data": [first]}, {"name": "note", "data": [second]}] for first, second in ("7a", "7b")]
    *_, mrn, note = run(made, [{"outputs": each} for each in [*pieces, [{"name": "mrn", "data": ["31"]}]]])
    assert mrn["outputs"][0]["data"] == ["[MRN]"]
    assert note["outputs"][0]["data"] == ["AB"]


def test_the_event_that_carries_the_rest_is_as_the_last_one_without_other_texts():
    stream = replace(EITHER, events={"": Event(alike=True)})
    fields = replace(ANSWER, constant=ANSWER.constant | {"kind"})
    made = Plain(stream, fields, Upper, lambda make: make(str.upper), lambda text: text.replace("5368145", "[US_SSN]"))
    event = {"id": "a", "n": 5368145, "all": [{"kind": "x", "text": "one"}, {"kind": "y", "text": "two"}], "Jane": "a"}
    *_, first, second = run(made, [event])
    rest = {"id": "a", "n": "[US_SSN]"}
    assert first == {**rest, "all": [{"kind": "x", "text": "ONE"}, {"kind": "y", "text": ""}]}
    assert second == {**rest, "all": [{"kind": "x", "text": ""}, {"kind": "y", "text": "TWO"}]}


@pytest.mark.parametrize(
    ("sentence", "texts", "key", "expected"),
    [
        ("pieces", ["one ", "two ", "th", "ree"], "content", ["ONE TWO ", "THREE"]),
        ("growing", ["o", "one ", "one tw", "one two ", "one two three"], "content", None),
        ("a key of its own", ["o", "n", "e"], "unheard_of", ["ONE"]),
        ("a known key in capitals", ["one ", "two"], "TEXT", ["ONE ", "TWO"]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_server_may_tell_pieces_or_all_of_it_anew(sentence, texts, key, expected):
    fields = replace(ANSWER, prose=ANSWER.prose | {"TEXT"})
    made = Plain(EITHER, fields, Upper, lambda make: make(str.upper), lambda text: text)
    out = [event[key] for event in run(made, [{key: text} for text in texts])]
    assert out == (expected or ["ONE ", "ONE TWO ", "ONE TWO ", "ONE TWO THREE"])


def test_a_text_that_grows_ends_with_all_of_it():
    made = Plain(
        replace(EITHER, events={"": Event(either=True, over=("done",))}), ANSWER, Upper,
        lambda make: make(str.upper), lambda text: text,
    )  # fmt: skip
    given_ = [{"content": text} for text in ("o", "one ", "one tw")] + [{"content": "one two", "done": True}]
    assert run(made, given_)[-1] == {"content": "ONE TWO", "done": True}


TALE = Stream(
    "text/event-stream",
    {
        "": Event(each="choices", over=("finish_reason",)),
        "begin": Event(whole=True, under="item", at=("items", "place"), whose=("place",)),
        "piece": Event(whose=("place",), under="delta", at=("items", "place", "text")),
        "end": Event(whole=True, whose=("place",), ends="own"),
    },
    lambda code, message: ("", {"error": {"code": code, "message": message}}),
    kind="type",
)
TALE_FIELDS = Fields(
    frozenset({"type", "place"}), frozenset(), frozenset(), frozenset({"text", "delta"}), {"scores": []}
)


def tale(**looks):
    return Plain(TALE, TALE_FIELDS, Upper, lambda make: make(str.upper), str, **looks)


def test_an_event_that_says_no_kind_is_of_the_kind_without_a_name():
    assert text_of(run(tale(), [delta(content="a"), delta(finish="stop")]), 0, "delta", "content") == "A"


def test_what_clients_insist_on_stands_in_the_event_that_tells_the_rest_as_well():
    out = run(tale(), [{"type": "piece", "place": 0, "delta": "a", "scores": [1]}, {"type": "end", "place": 0}])
    assert out[0] == {"type": "piece", "place": 0, "delta": "A", "scores": []}


def test_a_text_that_was_told_whole_does_not_go_on_in_pieces_at_its_place():
    made = tale()
    made.feed({"type": "begin", "place": 1, "item": {"text": "Zebulon Quarter"}})
    made.feed({"type": "piece", "place": 0, "delta": "maine"})
    with pytest.raises(ChunkError):
        made.feed({"type": "piece", "place": 1, "delta": "maine"})


def test_what_stands_at_a_place_of_which_something_is_said_becomes_that_wherever_it_is_told():
    ways = []

    def said(way, _value):
        ways.append(way)
        return ("HIDDEN",) if way == ("items", 1) else None

    made = tale(said=said)
    told = {"type": "begin", "place": 1, "item": {"text": "a"}}
    assert made.feed(told) == [{"type": "begin", "place": 1, "item": "HIDDEN"}]
    assert ways == [("items", 1)]


def test_what_a_member_lists_is_read_together_with_its_key():
    made = Plain(EITHER, ANSWER, Upper, lambda make: make(lambda text: text.replace("mrn: 7731", "mrn: [MRN]")), str)
    assert run(made, [{"mrn": ["77"]}, {"mrn": ["31"]}]) == [{"mrn": ["[MRN]"]}]


def test_where_an_error_is_one_message_among_others_more_may_follow():
    stream = Stream("text/event-stream", {"": Event(whole=True)}, BLOCKS.failure, goes_on=True)
    made = Plain(stream, ANSWER, Upper, lambda make: make(str.upper), str)
    assert made.feed({"id": 1, "error": {"message": "echo"}}) == [{"id": 1, "error": {"message": "ECHO"}}]
    assert made.feed({"id": 2, "text": "more"}) == [{"id": 2, "text": "MORE"}]


@pytest.mark.parametrize("value", [5, 0.5, True, ["536-22-"], {"a": "536-22-"}])
def test_where_only_text_may_stand_nothing_else_does(value):
    stream = replace(BLOCKS, events={"piece": Event(whose=("index",), under="delta", texts=frozenset({"text"}))})
    made = Events(stream, ANSWER, Upper, lambda make: make(str.upper), str)
    assert made.feed({"type": "piece", "delta": {"text": None}})
    with pytest.raises(ChunkError):
        made.feed({"type": "piece", "delta": {"text": value}})


def test_what_has_begun_does_not_begin_again_and_what_it_told_whole_is_not_told_in_pieces():
    start = {"type": "start", "index": 0, "block": {"title": "536-22-"}}
    piece = {"type": "piece", "index": 0, "delta": {"title": "8145"}}
    for first, second in (
        (start, start),
        (start, piece),
        (start, piece | {"delta": {"title": {"deep": "8145"}}}),
        (start | {"block": {"id": "SSN 536-22-"}}, piece | {"delta": {"id": "8145"}}),
    ):
        with pytest.raises(ChunkError):
            blocks(first, second)
    assert blocks(start, start | {"index": 1})


def test_an_event_of_the_rest_has_the_list_that_clients_go_through():
    out = run(chunks(), [delta(content="a ") | {"provider": "some one"}, delta(finish="stop")])
    assert out[-1]["provider"] == "SOME ONE"
    assert [chunk for chunk in out if "choices" not in chunk] == []


def labels(text):
    """Hides a number only where its label stands before it."""
    return text.replace("mrn: 77310", "mrn: #")


def test_numbers_in_a_list_are_read_together_with_its_key():
    made = Plain(STREAM, ANSWER, Upper, lambda make: make(labels), labels)
    [out] = made.feed(delta(mrn=[77310, [77310]], count=[77310], finish="stop") | {"mrn": 77310})
    assert (out["mrn"], out["choices"][0]["delta"]) == ("#", {"mrn": ["#", ["#"]], "count": [77310]})


def test_an_event_like_the_last_reads_its_numbers_with_their_keys_too():
    alike = replace(STREAM, events={"": Event(alike=True)}, done="")
    table = replace(ANSWER, named={"data": "name"}, blank={"seal": ""})
    made = Plain(alike, table, Upper, lambda make: make(labels), labels)
    tensor = {"name": "mrn", "data": [77310]}
    out = run(made, [{"text": "some one", "mrn": 77310, "deep": {"mrn": [77310]}, "outputs": [tensor], "seal": "x"}])
    assert [event["text"] for event in out] == ["SOME ", "ONE"]
    assert "77310" not in json.dumps(out)
    assert out[0] | {"text": ""} == out[1] | {"text": ""}


def test_nothing_is_a_constant_in_what_has_a_name():
    table = replace(ANSWER, named={"data": "name"}, blank={})
    made = Plain(replace(STREAM, events={"": Event()}), table, Upper, lambda make: make(str.upper), str)
    out = run(made, [{"id": "some", "data": [{"id": "some"}]}])
    assert out == [{"id": "some", "data": [{"index": 0, "id": "SOME"}]}]

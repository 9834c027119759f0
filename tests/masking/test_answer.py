"""One exchange's texts masked twice in one pass, whole or streamed, with the same outcome."""

import itertools
import json
import re
from dataclasses import replace

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phigate.dialect import openai
from phigate.dialect.codecs import JSON
from phigate.masking import Detectors, Memory, Secrets, Sight, Transformer
from phigate.masking.answer import MaskedStream, failure
from phigate.masking.answer import whole as whole_of
from phigate.masking.structure.paths import Paths
from phigate.policy.masks import Mask, Transform
from tests.traffic import CANARY_NAME, CANARY_SSN, CANARY_TEXT, completion, events, leaks, said

DETECTORS = Detectors()
SECRETS = Secrets(key=b"k" * 32, epoch="1")
LEAN = Mask("lean", {"PERSON": Transform("surrogate"), "DATE_TIME": Transform("shift"), "OTHER": Transform("redact")})
SHOWN = Mask("shown", {"OTHER": Transform("redact")})


def sight(mask=LEAN):
    shown = Transformer(SHOWN, SECRETS, "ada")
    return Sight(DETECTORS, SECRETS, Transformer(mask, SECRETS, "ada") if mask else None, shown, Memory())


def whole(body, seen):
    content, _, shown, usage = whole_of(body, seen, openai.DIALECT, JSON, {})
    return content, shown, usage


def content_of(tree):
    return tree["choices"][0]["message"]["content"]


def streamed(parts, seen):
    """(text for the caller, text for bystanders, bytes sent) of a stream that arrives in these parts."""
    stream = MaskedStream(seen, openai.DIALECT, openai.STREAM)
    out, shown = [], []
    for part in parts:
        out.append(stream.feed(part))
        shown.append(stream.take_shown())
    out.append(stream.finish())
    shown.append(stream.take_shown())
    return said(b"".join(out)), "".join(shown), b"".join(out)


def cut(data, places):
    marks = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(marks)]


PHRASES = [
    CANARY_TEXT, f"Patient: {CANARY_NAME}", f", SSN {CANARY_SSN}", " seen 03/05/2024", " and again on March 7, 2024",
    " MRN: 61-83-49 ", "aged 93. ", "call (212) 555-0147 or ", "mail z.q@example.org", "furosemide 40 mg", ". ", "\n\n",
    " \u00e9\u00df\u6a21 ", "\U0001f600", '"quoted" \\ and {braced}', "536-22-", "8145", "Dr. ",
]  # fmt: skip
TEXTS = st.lists(st.sampled_from(PHRASES), min_size=1, max_size=6).map("".join)


@settings(max_examples=300)
@given(text=TEXTS, step=st.integers(1, 40), places=st.lists(st.integers(0, 20_000), max_size=30))
def test_a_stream_in_any_chunking_of_its_bytes_says_what_the_whole_answer_says(text, step, places):
    seen_whole, seen_streamed = sight(), sight()
    body, shown, _ = whole(completion(text), seen_whole)
    caller, bystanders, _ = streamed(cut(b"".join(events(text, step)), places), seen_streamed)
    assert caller == content_of(json.loads(body))
    assert bystanders == content_of(shown)
    assert seen_streamed.found == seen_whole.found
    assert seen_streamed.identifiers == seen_whole.identifiers


BESIDE = [
    [{"key": "mrn", "value": "77310042"}, {"key": "temperature", "value": "37.2"}],
    [{"name": "mrn", "value": 77310042}, {"name": "last_name", "value": "quartermaine"}, {"temperature": "37.2"}],
    [["mrn", "77310042"], ["last_name", "quartermaine"], ["temperature", "37.2"]],
    {"columns": ["name", "mrn", "temperature"], "rows": [["zebulon quartermaine", 77310042, 37.2]]},
    {"mrn": {"0": "77310042"}, "dob": {"year": 1962, "month": 3, "day": 14}, "temperature": "37.2"},
]


@settings(max_examples=25)
@given(tree=st.sampled_from(BESIDE), places=st.lists(st.integers(0, 400), max_size=12), called=st.booleans())
def test_what_is_named_beside_it_is_hidden_at_any_chunking_as_in_the_whole(tree, places, called):
    text, parts = json.dumps(tree), cut(json.dumps(tree), places)
    call = {"id": "call_1", "type": "function", "function": {"name": "save", "arguments": text}}
    message = {"role": "assistant", "tool_calls": [call]} if called else {"role": "assistant", "content": text}
    body, _, _ = whole(json.dumps({"choices": [{"index": 0, "message": message}]}).encode(), sight(SHOWN))
    message = json.loads(body)["choices"][0]["message"]
    said_whole = message["tool_calls"][0]["function"]["arguments"] if called else message["content"]
    deltas = [
        {"tool_calls": [{"index": 0, **(call if not at else {}), "function": {"name": "save", "arguments": part}}]}
        if called
        else {"content": part}
        for at, part in enumerate(parts)
    ]
    chunks = [orjson.dumps({"choices": [{"index": 0, "delta": delta}]}) for delta in deltas]
    stream = MaskedStream(sight(SHOWN), openai.DIALECT, openai.STREAM)
    raw = b"".join(stream.feed(b"data: " + chunk + b"\n\n") for chunk in chunks) + stream.finish()
    told = [json.loads(line[6:])["choices"][0]["delta"] for line in raw.decode().split("\n\n") if "choices" in line]
    pieces = [
        each["tool_calls"][0]["function"].get("arguments", "") if called else each.get("content") or ""
        for each in told
        if not called or each.get("tool_calls")
    ]
    assert json.loads("".join(pieces)) == json.loads(said_whole)
    assert not re.search("7731|quartermaine|: ?3,|14", said_whole)
    assert "37.2" in said_whole


@given(text=TEXTS, places=st.lists(st.integers(0, 20_000), max_size=10), keep=st.integers(0, 20_000))
def test_a_stream_that_dies_anywhere_lets_out_the_beginning_of_what_the_whole_says(text, places, keep):
    data = b"".join(events(text, 5))
    stream = MaskedStream(sight(), openai.DIALECT, openai.STREAM)
    out = b"".join(map(stream.feed, cut(data[: keep % len(data)], places)))
    full = content_of(json.loads(whole(completion(text), sight())[0]))
    assert full.startswith(said(out))


# -- whole ----------------------------------------------------------------------------------------------------------


def test_the_caller_and_bystanders_see_different_things_of_one_answer():
    seen = sight()
    body, shown, usage = whole(completion(), seen)
    assert leaks(body) == []
    assert leaks(json.dumps(shown)) == []
    assert "[PERSON]" in content_of(shown)
    assert "[PERSON]" not in content_of(json.loads(body))
    assert "furosemide 40 mg" in content_of(json.loads(body))
    assert usage == {"input": 9, "output": 12}
    assert (seen.found["US_SSN"], seen.found["PERSON"], seen.found["MRN"]) == (1, 1, 1)
    assert {each.partition(":")[0] for each in seen.identifiers} == {"US_SSN", "PERSON", "MRN"}


def test_where_nothing_is_hidden_from_the_caller_bystanders_still_see_nothing():
    body, shown, _ = whole(completion(), sight(mask=None))
    assert content_of(json.loads(body)) == CANARY_TEXT
    assert leaks(json.dumps(shown)) == []


@pytest.mark.parametrize(
    ("sentence", "body"),
    [
        ("no JSON", b"{"),
        ("no object", b"[]"),
        ("no UTF-8", CANARY_TEXT.encode("utf-16")),
        ("nothing", b""),
        ("deeper than anybody reads", b'{"a":' + b"[" * 900 + b"]" * 900 + b"}"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_read_is_an_error_that_carries_nothing_of_it(sentence, body):
    with pytest.raises(ValueError) as raised:  # noqa: PT011 -- what it says is looked at below
        whole(body, sight())
    assert leaks(str(raised.value)) == []


def test_a_text_that_comes_twice_is_looked_at_and_counted_once():
    seen = sight()
    assert seen.text(CANARY_TEXT) == seen.text(CANARY_TEXT)
    assert seen.found["US_SSN"] == 1


# -- streams --------------------------------------------------------------------------------------------------------


def test_text_comes_before_the_stream_is_over():
    stream = MaskedStream(sight(), openai.DIALECT, openai.STREAM)
    parts = events("The ward is quiet today and nobody waits. " * 3)
    assert "The ward is" in said(b"".join(map(stream.feed, parts[: len(parts) // 2])))


def test_nothing_is_let_out_after_the_end_mark():
    late = b'data: {"choices":[{"index":0,"delta":{"content":"late"}}]}\n\n'
    text, _, raw = streamed([*events("All is well."), late, b": ping\n\n"], sight())
    assert text == "All is well."
    assert raw.endswith(b"data: [DONE]\n\n")


def test_the_end_of_the_body_lets_out_what_was_held_back():
    text, shown, raw = streamed(events(CANARY_TEXT, done=False), sight())
    assert "furosemide 40 mg." in text
    assert "[US_SSN]" in shown
    assert b"[DONE]" not in raw


def test_keep_alives_are_passed_on_as_ours():
    stream = MaskedStream(sight(), openai.DIALECT, openai.STREAM)
    assert b"Quartermaine" not in stream.feed(b": ping Quartermaine\n\n")


def test_an_event_that_only_tells_its_id_is_passed_on():
    stream = MaskedStream(sight(), openai.DIALECT, openai.STREAM)
    assert stream.feed(b"id: a-7\ndata:\n\n") == b"id: a-7\ndata: \n\n"
    assert CANARY_SSN.encode() not in stream.feed(f"id: {CANARY_SSN}\ndata\n\n".encode())
    assert stream.feed(b"data:\n\n") == b":\n\n"


def test_an_id_of_the_server_s_own_form_is_told_as_the_client_is_to_know_it():
    form = replace(openai.STREAM, ids=re.compile(r"[0-9a-f-]{36}"))
    own = "41bcdd71-0a26-4bca-ab17-2d260332b40c"
    stream = MaskedStream(sight(), openai.DIALECT, form, tells=lambda name: name + ".seal")
    for event in (f"id: {own}\ndata:\n\n", f'id: {own}\ndata: {{"choices":[]}}\n\n'):
        assert stream.feed(event.encode()).startswith(f"id: {own}.seal\n".encode())


def test_usage_of_the_last_chunk_is_kept():
    stream = MaskedStream(sight(), openai.DIALECT, openai.STREAM)
    stream.feed(b'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4}}\n\n')
    stream.feed(b'data: {"choices":[]}\n\n')
    assert stream.usage == {"input": 3, "output": 4}


def test_tool_calls_of_a_stream_are_masked_as_json():
    call = {"index": 0, "id": "c", "function": {"name": "send", "arguments": json.dumps({"ssn": CANARY_SSN})}}
    chunk = {"choices": [{"index": 0, "delta": {"tool_calls": [call]}, "finish_reason": "tool_calls"}]}
    _, shown, raw = streamed([b"data: " + orjson.dumps(chunk) + b"\n\n", b"data: [DONE]\n\n"], sight())
    assert leaks(raw) == leaks(shown) == []
    assert b"[US_SSN]" in raw


@pytest.mark.parametrize(
    ("sentence", "data"),
    [
        ("no JSON", b"data: {\n\n"),
        ("no chunk", b"data: [1]\n\n"),
        ("no text", b"data: \xff\xfe\n\n"),
        ("an index that is text", b'data: {"choices":[{"index":"0","delta":{"content":"x"}}]}\n\n'),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_stream_that_cannot_be_read_is_an_error(sentence, data):
    with pytest.raises(ValueError):  # noqa: PT011 -- of whichever layer; Guard catches them all
        MaskedStream(sight(), openai.DIALECT, openai.STREAM).feed(data)


# -- errors of the model server -------------------------------------------------------------------------------------

MESSAGES = [
    ("an object with a message", {"error": {"message": "too long"}}, "too long"),
    ("a message alone", {"error": "too long"}, "too long"),
    ("a message beside", {"message": "too long"}, "too long"),
    ("no message", {"error": {"code": 7}}, "The model server refused the request."),
    ("a message that is no text", {"error": {"message": ["too long"]}}, "The model server refused the request."),
    ("a list", ["too long"], "The model server refused the request."),
    ("an essay", {"error": "too long " * 1000}, "The model server refused the request."),
]


@pytest.mark.parametrize(("sentence", "tree", "message"), MESSAGES, ids=[case[0] for case in MESSAGES])
def test_an_error_keeps_its_message_and_nothing_else(sentence, tree, message):
    body, shown = failure(orjson.dumps(tree), 422, sight(), openai.DIALECT)
    assert body == openai.error_body(422, "upstream-refused", message)
    assert shown == {"error": {"message": message}}


def test_an_error_that_echoes_the_prompt_is_masked_for_both():
    body, shown = failure(orjson.dumps({"error": f"cannot parse: {CANARY_TEXT}"}), 400, sight(), openai.DIALECT)
    assert leaks(body) == leaks(json.dumps(shown)) == []
    assert b"cannot parse" in body


def test_an_error_that_is_no_json_is_ours():
    body, _ = failure(CANARY_TEXT.encode(), 500, sight(), openai.DIALECT)
    assert json.loads(body)["error"]["message"] == "The model server refused the request."


def prompt_sight():
    return Sight(DETECTORS, SECRETS, Transformer(SHOWN, SECRETS, "ada"), Transformer(SHOWN, SECRETS, "ada"))


def test_a_name_that_one_text_of_a_prompt_shows_is_found_in_all_of_them_and_in_the_answer():
    prompt = {"messages": [{"content": "How is Quartermaine?"}, {"content": f"Patient: {CANARY_NAME}"}]}
    asking = prompt_sight()
    asking.study(prompt, openai.DIALECT.shown)
    first, second = asking.both(prompt, openai.DIALECT.shown)[0]["messages"]
    assert (first["content"], second["content"]) == ("How is [PERSON]?", "Patient: [PERSON]")
    shown = Transformer(SHOWN, SECRETS, "ada")
    answering = Sight(DETECTORS, SECRETS, shown, shown, asking.names)
    assert answering.for_caller("Quartermaine is well.") == "[PERSON] is well."


STRUCTURES = [
    '{"resourceType": "Patient", "name": [{"family": "Quixtree"}], "birthDate": "1970-03-12"}',
    "MSH|^~\\&|LAB|MERCY\rPID|1||77310||QUIXTREE^ANNA\r",
    "| MRN | Note |\n|---|---|\n| 77310 | seen 3/5/2024 |\n",
    *("\n", "Mrs Quixtree called. ", '{"mrn": "', "| ", "```json\n"),
]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(STRUCTURES), min_size=1, max_size=6).map("".join), st.data())
def test_structures_are_read_alike_whole_and_streamed(text, data):
    shown: list[str] = []
    channel, out, at = sight().channel(shown), "", 0
    while at < len(text):
        end = at + data.draw(st.integers(1, 12))
        out += channel.feed(text[at:end])
        at = end
    assert (out + channel.close(), "".join(shown)) == sight().text(text)


def test_what_a_structure_names_is_hidden_in_the_prose_after_it():
    text = f"{STRUCTURES[0]}\nAnd Quixtree is well."
    caller, shown = sight().text(text)
    assert "Quixtree" not in caller + shown


# -- the policy's `fields` ------------------------------------------------------------------------------------------

BED = '{"note": "well", "bed": "Fennel 12", "plan": {"owner": "Rue"}, "unit": "SSN 536-22-8145"}'
PATHS = Paths(
    [
        ("$.choices[*].message.content.bed", "LOCATION"),
        ("$..owner", "PERSON"),
        ("$.choices[*].message.content.unit", "keep"),
    ]
)


def told(mask=SHOWN):
    shown = Transformer(SHOWN, SECRETS, "ada")
    return Sight(DETECTORS, SECRETS, Transformer(mask, SECRETS, "ada"), shown, Memory(), PATHS)


@pytest.mark.parametrize("step", [1, 7, 500])
def test_a_named_field_is_hidden_alike_whole_and_streamed_and_kept_for_the_caller_only(step):
    body, shown, _ = whole(completion(BED), told())
    expected = {"note": "well", "bed": "[LOCATION]", "plan": {"owner": "[PERSON]"}, "unit": "SSN 536-22-8145"}
    assert json.loads(content_of(json.loads(body))) == expected
    assert json.loads(content_of(shown)) == expected | {"unit": "SSN [US_SSN]"}
    caller, bystanders, _ = streamed([b"".join(events(BED, step))], told())
    assert json.loads(caller) == expected
    assert json.loads(bystanders) == expected | {"unit": "SSN [US_SSN]"}


def test_a_text_that_is_no_json_where_fields_are_named_is_masked_as_ever():
    caller, _, _ = streamed([b"".join(events(CANARY_TEXT, 3))], told())
    assert leaks(caller) == []


def test_a_prompt_s_named_field_is_hidden_from_the_model_too():
    shown = Transformer(SHOWN, SECRETS, "ada")
    asking = Sight(DETECTORS, SECRETS, shown, shown, None, Paths([("$.metadata.bed", "LOCATION")]))
    prompt = {"metadata": {"bed": "Fennel 12", "shift": "late"}}
    assert asking.tree_for_caller(prompt, openai.REQUEST) == {"metadata": {"bed": "[LOCATION]", "shift": "late"}}
    assert asking.tree_for_bystanders(prompt, openai.DIALECT.shown) == {
        "metadata": {"bed": "[LOCATION]", "shift": "late"}
    }


# -- places and keys in streams --------------------------------------------------------------------------------------


def both_ways(message, paths=None, mask=LEAN):
    """What a message is whole and, each text cut in two, streamed; what bystanders see of the stream."""

    def seen():
        shown = Transformer(SHOWN, SECRETS, "ada")
        return Sight(DETECTORS, SECRETS, Transformer(mask, SECRETS, "ada") if mask else None, shown, Memory(), paths)

    body, _, _ = whole(orjson.dumps({"choices": [{"index": 0, "message": message}]}), seen())
    stream, parts = MaskedStream(seen(), openai.DIALECT, openai.STREAM), [*halves(message, 0), *halves(message, 1)]
    chunks = [orjson.dumps({"choices": [{"index": 0, "delta": each}]}) for each in parts]
    sent = stream.feed(b"".join(b"data: " + chunk + b"\n\n" for chunk in chunks)) + stream.finish()
    return orjson.loads(body)["choices"][0]["message"], joined(sent), stream.take_shown()


def halves(node, half):
    if isinstance(node, str):
        yield from [node[len(node) // 2 :] if half else node[: len(node) // 2]]
    elif isinstance(node, dict):
        for key, value in node.items():
            yield from ({key: part} for part in halves(value, half))
    elif half == 0:
        yield node


def joined(raw):
    """The message that a client puts together from a stream."""
    made = {}

    def add(into, node):
        for key, value in node.items():
            if isinstance(value, dict):
                add(into.setdefault(key, {}), value)
            else:
                into[key] = into.get(key, "") + value if isinstance(value, str) else value

    for line in raw.decode().split("\n\n"):
        if line.startswith("data: {"):
            for choice in json.loads(line[6:])["choices"]:
                add(made, choice["delta"])
    return made


@pytest.mark.parametrize(
    "message",
    [
        {"mrn": "77310284"},
        {"meta": {"patient_name": "Zorvath Quixley"}},
        {"function_call": {"arguments": '{"mrn": "77310284", "patient_name": "Zorvath Quixley"}'}},
        {"function_call": {"arguments": '{"resourceType":"Patient","name":[{"family":"Stone","given":["ada"]}]}'}},
    ],
)
@pytest.mark.parametrize("mask", [LEAN, None])
def test_a_key_says_what_its_text_is_in_a_stream_as_in_the_whole(message, mask):
    at_once, in_pieces, shown = both_ways(message, mask=mask)
    assert in_pieces == at_once
    for text in ("77310284", "Zorvath", "Stone", "ada"):
        assert text not in shown
        assert mask is None or text not in json.dumps(in_pieces)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("$.choices[*].message.function_call.name", {"function_call": {"name": "b", "arguments": "7"}}),
        ("$.choices[*].message.meta", {"meta": {"room": 7, "ward": "blue", "deep": {"bed": True, "wing": "west"}}}),
        ("$.choices[*].message.meta.room", {"meta": {"room": 7}}),
        ("$.choices[*].message", {"content": "blue"}),
    ],
)
def test_what_is_named_or_lies_in_what_is_named_is_hidden_in_a_stream_as_in_the_whole(path, message):
    at_once, in_pieces, shown = both_ways(message, Paths([(path, "UNIQUE_ID")]))
    assert in_pieces == at_once
    assert "[UNIQUE_ID]" in json.dumps(in_pieces)
    assert "blue" not in shown


NAMED = '{"patient_name": "Zorvath Quixley", "mrn": "773102"}'


@pytest.mark.parametrize(
    "text",
    [
        f"\nthe zorvath file\n{NAMED}\nthe zorvath file\n",
        'Mr. Zorvath Quixley came.\n{"a": "b"}\nthe zorvath file',
        "Mr. Zorvath Quixley came.\n\n| a | b |\n|---|---|\n| zorvath | 2 |\n\nthe zorvath file",
    ],
)
def test_a_name_that_was_shown_is_known_after_a_structure_and_in_it(text):
    caller, _, _ = streamed(events(text, 7), sight())
    assert caller == sight().text(text)[0]
    assert caller.casefold().count("zorvath") == text.startswith("\n")  # before anything shows that it is a name


def test_the_people_of_a_prompts_structures_are_known_in_its_other_texts():
    shown = Transformer(SHOWN, SECRETS, "ada")
    asking = Sight(DETECTORS, SECRETS, shown, shown)
    prompt = {"messages": [{"role": "user", "content": "the zorvath file"}, {"role": "user", "content": NAMED}]}
    asking.study(prompt, openai.DIALECT.shown)
    assert "zorvath" not in json.dumps(asking.tree_for_caller(prompt, openai.REQUEST)).casefold()


def test_a_number_for_bystanders_is_read_with_its_key_whatever_the_caller_is_shown():
    _, _, shown = both_ways({"function_call": {"arguments": {"mrn": 77310284}}}, mask=None)
    assert "77310284" not in shown


@pytest.mark.parametrize("name", ["ssn-536-22-8145", "536-22-8145"])
def test_a_tools_name_is_written_by_the_model(name):
    body, _, _ = whole(orjson.dumps({"choices": [{"message": {"function_call": {"name": name}}}]}), sight())
    assert b"536-22-8145" not in body
    chunk = {"choices": [{"index": 0, "delta": {"tool_calls": [{"id": "call_536228145", "function": {"name": name}}]}}]}
    _, _, raw = streamed([b"data: " + orjson.dumps(chunk) + b"\n\n"], sight())
    assert b"536-22-8145" not in raw
    assert b"call_536228145" in raw


# -- what the dialect says is no text -------------------------------------------------------------------------------


def test_an_answer_that_is_no_text_passes_only_where_the_rule_says_so():
    dialect = replace(openai.DIALECT, unclear=lambda tree: "picture" in tree)
    body, event = orjson.dumps({"picture": 1}), b'data: {"picture": 1}\n\n'
    assert whole_of(body, sight(), dialect, JSON, {}, opaque=True)[0] == b'{"picture":1}'
    assert MaskedStream(sight(), dialect, openai.STREAM, opaque=True).feed(event) == b'data: {"picture":1}\n\n'
    with pytest.raises(ValueError, match="cannot be read"):
        whole_of(body, sight(), dialect, JSON, {})
    with pytest.raises(ValueError, match="cannot be read"):
        MaskedStream(sight(), dialect, openai.STREAM).feed(event)

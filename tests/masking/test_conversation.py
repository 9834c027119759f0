"""Both sides of one connection: what is said is masked for the model where the rule says so, what is heard always."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phigate.dialect.realtime import DIALECT
from phigate.masking import Memory, Sight, Transformer
from phigate.masking.conversation import Conversation
from phigate.masking.restore import StandIns
from tests.masking.test_answer import DETECTORS, LEAN, SECRETS, SHOWN, TEXTS, cut, sight
from tests.traffic import CANARY_NAME, CANARY_TEXT, leaks

STREAM = DIALECT.routes[0].stream


def conversation():
    return Conversation(sight(), DIALECT, STREAM, opaque=False)


def prompts(stand_ins=None):
    caller, shown = Transformer(LEAN, SECRETS, "ada"), Transformer(SHOWN, SECRETS, "ada")
    return Sight(DETECTORS, SECRETS, caller, shown, None, None, stand_ins)


def ask(text):
    return {
        "type": "conversation.item.create",
        "item": {"type": "message", "content": [{"type": "text", "text": text}]},
    }


def hear(made, *messages):
    return [json.loads(each) for message in messages for each in made.hear(json.dumps(message).encode())[0]]


def test_what_is_said_goes_on_as_it_is_or_masked():
    message = ask(CANARY_TEXT)
    onward, shown = conversation().say(message, message, prompts(), None, masked=False)
    assert json.loads(onward) == message
    assert leaks(json.dumps(shown)) == []
    onward, _ = conversation().say(message, message, prompts(), None, masked=True)
    assert leaks(onward) == []
    assert b"furosemide 40 mg" in onward


def test_what_cannot_be_read_goes_on_untouched_and_is_not_shown():
    tree, read = {"type": "input_audio_buffer.append", "audio": "AAAA"}, {"type": "input_audio_buffer.append"}
    onward, shown = conversation().say(tree, read, prompts(), None, masked=True)
    assert (json.loads(onward), shown) == (tree, read)


def test_a_name_that_was_said_is_found_in_what_is_heard():
    made = conversation()
    message = ask(f"Patient: {CANARY_NAME}")
    made.say(message, message, prompts(), None, masked=False)
    done = {"type": "response.output_text.done", "response_id": "r", "item_id": "i", "text": "quartermaine is well"}
    (heard,) = hear(made, done)
    assert "quartermaine" not in heard["text"]


def test_what_stood_in_for_a_value_of_any_message_is_put_back():
    made, stand_ins = conversation(), StandIns()
    for text in ("Hello.", f"Patient: {CANARY_NAME}"):
        message = ask(text)
        onward, _ = made.say(message, message, prompts(stand_ins), stand_ins, masked=True)
    masked = json.loads(onward)["item"]["content"][0]["text"]
    assert leaks(masked) == []
    piece = {"type": "response.output_text.delta", "response_id": "r", "item_id": "i"}
    done = {"type": "response.output_text.done", "response_id": "r", "item_id": "i", "text": masked}
    heard = hear(made, *({**piece, "delta": letter} for letter in masked), done)
    assert "".join(each.get("delta", "") for each in heard) == heard[-1]["text"] == f"Patient: {CANARY_NAME}"


@settings(max_examples=60)
@given(text=TEXTS, places=st.lists(st.integers(0, 300), max_size=12))
def test_pieces_at_any_cut_and_every_repeat_say_the_same(text, places):
    place = {"response_id": "r", "item_id": "i", "output_index": 0, "content_index": 0}
    piece = {"type": "response.output_text.delta", **place}
    item = {"id": "i", "type": "message", "content": [{"type": "text", "text": text}]}
    heard = hear(
        conversation(),
        *({**piece, "delta": part} for part in cut(text, places)),
        {"type": "response.output_text.done", **place, "text": text},
        {"type": "response.output_item.done", "response_id": "r", "item": item},
        {"type": "response.done", "response": {"id": "r", "output": [item]}},
    )
    *pieces, done, added, response = heard
    told = [done["text"], added["item"]["content"][0]["text"], response["response"]["output"][0]["content"][0]["text"]]
    assert {"".join(each["delta"] for each in pieces), *told} == {sight().for_caller(text)}
    assert leaks(json.dumps(heard)) == leaks(sight().for_caller(text))


def test_what_is_held_back_is_told_until_it_went_out():
    made = conversation()
    place = {"response_id": "r", "item_id": "i", "output_index": 0, "content_index": 0}
    text = '{"note": "' + "The ward is quiet. " * 50
    hear(made, {"type": "response.output_text.delta", **place, "delta": text})
    assert made.held >= len(text)
    hear(made, {"type": "response.output_text.done", **place, "text": text})
    assert made.held == 0


def test_usage_of_all_answers_is_added_up():
    made = conversation()
    for _ in range(2):
        usage = {"input_tokens": 3, "output_tokens": 4}
        hear(made, {"type": "response.done", "response": {"id": "r", "usage": usage}})
    assert made.usage == {"input": 6, "output": 8}


@pytest.mark.parametrize("content", [b"{", b"\xff", b"[]", b'{"type":"novel"}'])
def test_what_is_no_event_is_an_error(content):
    with pytest.raises(ValueError):  # noqa: PT011 -- which of them does not matter
        conversation().hear(content)


def test_what_was_found_is_told_once():
    made = conversation()
    done = {"type": "response.output_text.done", "response_id": "r", "item_id": "i", "text": CANARY_TEXT}
    _, shown, found = made.hear(json.dumps(done).encode())
    assert found["US_SSN"] == 1
    assert "[US_SSN]" in shown
    assert made.hear(json.dumps(done).encode())[2] == {}
    assert made.identifiers


def test_of_a_message_that_breaks_nothing_was_revealed():
    made = Conversation(sight(None), DIALECT, STREAM, opaque=False)
    done = {"type": "response.output_text.done", "response_id": "r", "item_id": "i", "text": "SSN 536-22-8145."}
    made.hear(json.dumps(done).encode())
    told = made.revealed
    deep = json.loads("[" * 150 + "]" * 150)
    with pytest.raises(ValueError):  # noqa: PT011 -- which of them does not matter
        made.hear(json.dumps(done | {"item_id": "j", "said": "SSN 536-22-8146.", "then": deep}).encode())
    assert (len(made.identifiers), len(told), made.revealed) == (2, 1, told)


def test_the_end_is_told_in_the_protocols_own_words():
    assert json.loads(conversation().ended("denied", "No."))["error"]["code"] == "denied"


def test_names_of_nobody_are_shared_from_the_start():
    assert not Memory()
    made = conversation()
    assert hear(made, {"type": "session.created", "session": {}}) == [{"type": "session.created", "session": {}}]

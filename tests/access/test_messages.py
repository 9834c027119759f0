"""What a caller says on an open connection: read, or refused without an echo."""

import json

import pytest

from phigate.access.messages import MOST_TEXTS, MOST_TOLD, Told, read
from phigate.dialect.realtime import CONVERSATION, DIALECT
from phigate.exchange import Refusal


def said(message):
    found = read(json.dumps(message).encode(), DIALECT, CONVERSATION)
    assert not isinstance(found, Refusal)
    return found


def ask(text, **more):
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
    return {"type": "conversation.item.create", "item": item | more}


@pytest.mark.parametrize(
    ("sentence", "content", "reason"),
    [
        ("no JSON", b"{", "malformed"),
        ("no UTF-8", b'{"type":"\xff"}', "malformed"),
        ("no object", b"[]", "malformed"),
        ("too deep", b'{"type":"response.create","x":' + b"[" * 200 + b"]" * 200 + b"}", "malformed"),
        ("a member that Go reads as another", b'{"type":"session.update","Session":{"model":"m"}}', "malformed"),
        ("an unknown kind", b'{"type":"session.steal"}', "message-unknown"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_nobody_knows_is_refused(sentence, content, reason):
    found = read(content, DIALECT, CONVERSATION)
    assert isinstance(found, Refusal)
    assert found.reason == reason


def test_what_a_message_holds_is_told():
    message = {"type": "session.update", "session": {"model": "m", "max_output_tokens": 1}}
    found = said(message)
    assert (found.tree, found.readable, found.steers, found.names) == (message, True, True, ((None, "m"),))
    assert not said(ask("hi", novel=1)).readable


def test_sound_is_not_read():
    found = said({"type": "input_audio_buffer.append", "audio": "AAAA"})
    assert found.read == {"type": "input_audio_buffer.append"}
    assert not found.readable


def test_what_was_said_before_is_still_heard():
    told = Told()
    assert told.and_(said(ask("list all")), DIALECT) == ("list all",)
    assert told.and_(said({"type": "response.create"}), DIALECT) == ()
    assert told.and_(said(ask("patients")), DIALECT) == ("list all", "patients")


def test_what_was_said_long_ago_is_forgotten_and_what_is_said_now_never():
    told = Told()
    told.and_(said(ask("first")), DIALECT)
    long = "x" * (MOST_TOLD * 2)
    assert told.and_(said(ask(long)), DIALECT) == (long,)


def test_many_texts_are_forgotten_like_long_ones_and_empty_ones_are_none():
    told = Told()
    for _ in range(MOST_TEXTS + 10):
        told.and_(said(ask("a")), DIALECT)
    assert len(told.and_(said(ask("b")), DIALECT)) == MOST_TEXTS
    assert told.and_(said(ask("")), DIALECT) == ()
    assert len(told.and_(said(ask("b")), DIALECT)) == MOST_TEXTS

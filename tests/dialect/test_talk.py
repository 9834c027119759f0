"""What a table says of a caller's messages."""

import pytest

from phigate.dialect.talk import Talk

TALK = Talk(frozenset({"say", "play"}), raw={"play": frozenset({"sound"})})


@pytest.mark.parametrize(
    ("message", "kind"),
    [({"type": "say"}, "say"), ({"type": "sing"}, None), ({}, None), ({"type": 7}, None), ({"type": ["say"]}, None)],
)
def test_a_kind_is_one_of_the_table(message, kind):
    assert TALK.kind_of(message) == kind


def test_what_cannot_be_read_is_told_apart_by_kind():
    assert TALK.without_raw({"type": "play", "sound": "x", "at": 1}) == {"type": "play", "at": 1}
    assert TALK.without_raw({"type": "say", "sound": "x"}) == {"type": "say", "sound": "x"}


def test_a_message_names_no_model_unless_the_table_says_how():
    assert list(TALK.names({"model": "m"})) == []

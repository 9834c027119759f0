"""Scopes: one spelling, one meaning, and narrower is never wider."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phigate.exchange import Scope
from phigate.identity.scope import MAX_SCOPE, allows, read, within, written
from phigate.policy.words import ACTIONS


def scope(models="", actions=""):
    return Scope(frozenset(models.split()), frozenset(actions.split()))


READ = [
    ("a model", "model:ward", scope("ward")),
    ("an action", "action:chat", scope("", "chat")),
    ("both, in any order", "action:chat model:ward", scope("ward", "chat")),
    ("more of a kind", "model:b model:a action:chat action:embed", scope("a b", "chat embed")),
    ("the same word twice", "model:a model:a", scope("a")),
    ("a model's name with colons and slashes", "model:hf/llama3:8b", scope("hf/llama3:8b")),
    ("nothing", "", None),
    ("a blank", " ", None),
    ("a blank too many", "model:a  model:b", None),
    ("a blank at the end", "model:a ", None),
    ("a tab", "model:a\tmodel:b", None),
    ("a line's end", "model:a\n", None),
    ("another kind of word", "openid", None),
    ("a good word and another", "model:a profile", None),
    ("a model without a name", "model:", None),
    ("an action nobody knows", "action:everything", None),
    ("any action", "action:*", None),
    ("a kind in capitals", "Model:a", None),
    ("a quote", 'model:"a"', None),
    ("a backslash", "model:a\\b", None),
    ("a letter beyond ASCII", "model:wärd", None),
    ("a NUL", "model:a\0", None),
    ("a name too long", "model:" + "a" * 129, None),
    ("longer than any we read", " ".join(["model:" + "a" * 120] * 40), None),
]


@pytest.mark.parametrize(("sentence", "text", "expected"), READ, ids=[case[0] for case in READ])
def test_a_scope_is_read(sentence, text, expected):
    assert read(text) == expected


NAMES = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters='"\\'), min_size=1)
SCOPES = st.builds(
    Scope, st.frozensets(st.sampled_from(["a", "b", "c"])), st.frozensets(st.sampled_from(sorted(ACTIONS)), max_size=4)
)
ASKED = st.tuples(st.frozensets(st.sampled_from(sorted(ACTIONS)), max_size=2), st.sampled_from([None, "a", "b", "z"]))


@given(st.frozensets(NAMES, max_size=6), st.frozensets(st.sampled_from(sorted(ACTIONS))))
def test_what_is_written_is_read_again(models, actions):
    made = Scope(models, actions)
    assert read(written(made)) == (made if models or actions else None)


@given(st.text(max_size=MAX_SCOPE))
def test_reading_never_raises(text):
    found = read(text)
    assert found is None or (found.models or found.actions)


ALLOWS = [
    ("no limit", scope(), "chat", "a", True),
    ("its model", scope("a"), "chat", "a", True),
    ("another model", scope("a"), "chat", "b", False),
    ("its action on any model", scope("", "chat"), "chat", "b", True),
    ("another action", scope("", "chat"), "embed", "a", False),
    ("one of two actions", scope("", "chat"), "chat unmask", "a", False),
    ("both of two actions", scope("", "chat unmask"), "chat unmask", "a", True),
    ("no action at all", scope(), "", "a", False),
    ("revoking, which has no model, by a bearer for one model", scope("a"), "revoke", None, False),
    ("revoking, where the scope names it", scope("a", "revoke"), "revoke", None, True),
    ("revoking, where no model is named", scope("", "revoke"), "revoke", None, True),
    ("chat with no certain model, by a bearer for one model", scope("a", "chat"), "chat", None, False),
    ("chat with no certain model, where no model is named", scope("", "chat"), "chat", None, True),
]


@pytest.mark.parametrize(
    ("sentence", "limits", "actions", "model", "expected"), ALLOWS, ids=[case[0] for case in ALLOWS]
)
def test_a_scope_allows(sentence, limits, actions, model, expected):
    assert allows(limits, frozenset(actions.split()), model) is expected


WITHIN = [
    ("the same", scope("a", "chat"), scope("a", "chat"), True),
    ("one of two models", scope("a"), scope("a b"), True),
    ("one more model", scope("a b"), scope("a"), False),
    ("an action where none was limited", scope("a", "chat"), scope("a"), True),
    ("no limit of actions where there was one", scope("a"), scope("a", "chat"), False),
    ("no limit of models where there was one", scope("", "chat"), scope("a"), False),
    ("anything, where nothing is limited", scope("a", "revoke"), scope(), True),
    ("revoking, which a bearer for one model cannot", scope("a", "revoke"), scope("a"), False),
]


@pytest.mark.parametrize(("sentence", "narrow", "wide", "expected"), WITHIN, ids=[case[0] for case in WITHIN])
def test_a_scope_is_within(sentence, narrow, wide, expected):
    assert within(narrow, wide) is expected


@given(SCOPES, SCOPES, ASKED)
def test_whatever_the_narrower_allows_the_wider_allows(narrow, wide, asked):
    if within(narrow, wide):
        assert not allows(narrow, *asked) or allows(wide, *asked)


@given(SCOPES)
def test_every_scope_is_within_itself_and_within_no_limits(made):
    assert within(made, Scope())
    assert within(made, made)

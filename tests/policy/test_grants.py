"""What a yes gave: for whom and what it counts, and until when."""

from dataclasses import replace

import pytest

from phigate.policy.grants import Grant

WHO = ("https://idp.example", "ada")
CHAT = frozenset({"chat"})
GRANT = Grant("g", "t", "ask", WHO, CHAT, "llama3", None, 10.0, 20.0, rule_hash="as-it-was")
ASKED = ("ask", "as-it-was", WHO, CHAT, "llama3", "digest")


@pytest.mark.parametrize(("now", "live"), [(9.9, False), (10.0, True), (19.9, True), (20.0, False)])
def test_it_lasts_from_its_beginning_until_just_before_its_end(now, live):
    assert GRANT.covers(*ASKED, now) is live


@pytest.mark.parametrize(("uses", "live"), [(None, True), (1, True), (0, False)])
def test_it_counts_as_long_as_a_use_is_left(uses, live):
    assert replace(GRANT, uses=uses).covers(*ASKED, 15.0) is live


@pytest.mark.parametrize(("digest", "live"), [(None, True), ("digest", True), ("other", False)])
def test_where_it_is_bound_it_is_for_that_very_request(digest, live):
    assert replace(GRANT, digest=digest).covers(*ASKED, 15.0) is live


@pytest.mark.parametrize("place", range(5))
def test_it_is_for_one_rule_as_it_was_subject_set_of_actions_and_model(place):
    other = ("see", "edited", ("https://other.example", "ada"), CHAT | {"unmask"}, "llama4")
    rule, rule_hash, who, actions, model = (other[at] if at == place else ASKED[at] for at in range(5))
    assert not GRANT.covers(rule, rule_hash, who, actions, model, "digest", 15.0)


def test_where_nobody_knows_what_the_rule_was_it_covers_nothing():
    assert not replace(GRANT, rule_hash=None).covers("ask", None, *ASKED[2:], 15.0)

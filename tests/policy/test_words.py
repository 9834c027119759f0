from __future__ import annotations

from phigate.policy import words


def test_every_set_of_actions_is_made_of_actions() -> None:
    assert words.CONTENT_ACTIONS | words.MODEL_FREE_ACTIONS < words.ACTIONS
    assert not words.CONTENT_ACTIONS & words.MODEL_FREE_ACTIONS


def test_transforms_of_one_entity_are_transforms_of_an_entity() -> None:
    assert words.TRANSFORM_ENTITY.keys() <= set(words.TRANSFORMS)
    assert set(words.TRANSFORM_ENTITY.values()) <= words.ENTITIES


def test_the_strictest_transform_is_redact_and_the_weakest_keep() -> None:
    assert (words.TRANSFORMS[0], words.TRANSFORMS[-1]) == ("redact", "keep")


def test_no_algorithm_has_a_shared_key_or_none() -> None:
    assert not [name for name in words.ALGORITHMS if name.startswith("HS") or name == "none"]


def test_other_is_no_entity() -> None:
    assert words.OTHER not in words.ENTITIES


def test_options_stand_strictest_first() -> None:
    assert (words.SCOPES[0], words.UNDECODABLE[0]) == ("exchange", "redact")
    assert list(words.BIASES.values()) == sorted(words.BIASES.values())


def test_what_can_be_turned_back_is_less_strict_than_what_cannot() -> None:
    order = words.TRANSFORMS.index
    assert (
        order("generalise")
        < order("hash")
        < order("encrypt")
        < order("surrogate")
        < order("shift")
        < order("keep-last")
    )

from __future__ import annotations

import copy
import pickle

import pytest

from phigate.policy.masks import REDACT, REVEAL, Mask, Transform, strictest


def mask(name: str, **transforms: str) -> Mask:
    return Mask(name, {entity: Transform(transform) for entity, transform in transforms.items()})


def test_an_entity_the_mask_does_not_name_is_other() -> None:
    lean = mask("lean", PERSON="surrogate", OTHER="redact")
    assert (lean.of("PERSON").name, lean.of("MRN").name) == ("surrogate", "redact")


def test_a_mask_without_other_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="OTHER"):
        mask("lean", PERSON="redact")


def test_a_transform_that_does_not_exist_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="no such transform"):
        Transform("blur")


def test_a_mask_cannot_be_changed_through_what_it_was_made_from() -> None:
    made_from = {"OTHER": Transform("redact")}
    made = Mask("m", made_from)
    made_from["OTHER"] = Transform("keep")
    assert made.of("PERSON").name == "redact"


def test_only_a_mask_that_keeps_everything_reveals() -> None:
    assert REVEAL.reveals
    assert not mask("m", PERSON="redact", OTHER="keep").reveals


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ({"OTHER": "redact"}, {"OTHER": "keep"}, {"PERSON": "redact"}),
        (
            {"PERSON": "surrogate", "OTHER": "redact"},
            {"PERSON": "hash", "OTHER": "keep"},
            {"PERSON": "hash", "MRN": "redact"},
        ),
        (
            {"DATE_TIME": "shift", "OTHER": "keep"},
            {"OTHER": "surrogate"},
            {"DATE_TIME": "surrogate", "MRN": "surrogate"},
        ),
        ({"AGE": "cap-90", "OTHER": "keep"}, {"AGE": "keep-last", "OTHER": "keep"}, {"AGE": "cap-90", "MRN": "keep"}),
    ],
    ids=[
        "one is stricter everywhere",
        "each is stricter somewhere",
        "one is named only once",
        "and nothing else hidden",
    ],
)
def test_the_strictest_of_each_entity_wins(
    one: dict[str, str], other: dict[str, str], expected: dict[str, str]
) -> None:
    for pair in (("a", one), ("b", other)), (("b", other), ("a", one)):
        joined = strictest(mask(name, **transforms) for name, transforms in pair)
        assert joined.name == "a+b"
        assert {entity: joined.of(entity).name for entity in expected} == expected


def test_the_joined_mask_has_the_lowest_threshold_and_the_narrowest_scope() -> None:
    some = {"OTHER": Transform("redact")}
    one = Mask("a", some, scope="organisation", bias="recall", undecodable="permit")
    two = Mask("b", some, scope="session", bias="precision", undecodable="redact")
    joined = strictest([one, two])
    assert (joined.scope, joined.bias, joined.undecodable, joined.threshold) == ("session", "recall", "redact", 0.3)
    assert strictest([one, Mask("c", some, undecodable="permit")]).undecodable == "permit"


def test_a_mask_that_hides_nothing_has_no_say_in_scope_and_threshold() -> None:
    wide = Mask("wide", {"OTHER": Transform("surrogate")}, scope="organisation", bias="precision")
    joined = strictest([REVEAL, wide])
    assert (joined.scope, joined.threshold, joined.undecodable) == ("organisation", 0.75, "redact")


@pytest.mark.parametrize(("bias", "threshold"), [("recall", 0.3), ("balanced", 0.5), ("precision", 0.75)])
def test_the_bias_is_a_threshold(bias: str, threshold: float) -> None:
    assert Mask("m", REDACT.transforms, bias=bias).threshold == threshold


@pytest.mark.parametrize("option", [{"scope": "ward"}, {"bias": "none"}, {"undecodable": "keep"}])
def test_an_option_that_does_not_exist_cannot_be_made(option: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="no such option"):
        Mask("m", REDACT.transforms, **option)


def test_what_keeps_all_but_the_undecodable_reveals_not_everything() -> None:
    assert Mask("m", REVEAL.transforms).keeps_all
    assert not Mask("m", REVEAL.transforms).reveals


def test_of_two_keep_last_the_one_that_keeps_less_wins() -> None:
    four, two = Mask("a", {"OTHER": Transform("keep-last", 4)}), Mask("b", {"OTHER": Transform("keep-last", 2)})
    assert strictest([four, two]).of("MRN").keep == 2


def test_one_mask_is_itself_and_none_is_redact() -> None:
    assert strictest([REVEAL, REVEAL]) is REVEAL
    assert strictest([]) is REDACT


def test_masks_copy_and_travel() -> None:
    wide = Mask("wide", REVEAL.transforms, scope="exchange", bias="recall")
    for each in (REVEAL, wide):
        assert copy.deepcopy(each) == pickle.loads(pickle.dumps(each)) == each

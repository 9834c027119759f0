"""How verdicts and masks differ: one word for each change, and none where nothing changed."""

from itertools import product

import pytest

from phigate.policy.decide import Deny, Hold, Permit
from phigate.policy.masks import REDACT, REVEAL, Mask, Transform
from phigate.policy.verdict import CHANGES, Verdict, changes, hides, shift, shifted, shifts, verdict

PERMIT, HOLD, DENY = (Verdict(verb, verb) for verb in ("permit", "hold", "deny"))


def mask(*, bias="balanced", other="redact", **transforms):
    named = {entity: Transform(name) for entity, name in transforms.items()}
    return Mask("m", {"OTHER": Transform(other), **named}, bias=bias)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (PERMIT, PERMIT, ()),
        (PERMIT, DENY, ("newly-denied",)),
        (PERMIT, HOLD, ("newly-held",)),
        (HOLD, PERMIT, ("newly-permitted", "no-longer-held")),
        (HOLD, DENY, ("newly-denied", "no-longer-held")),
        (DENY, HOLD, ("newly-held",)),
        (DENY, PERMIT, ("newly-permitted",)),
        (PERMIT, Verdict("permit", "other"), ("rule-only",)),
        (DENY, Verdict("deny", "deny", "no-rule"), ("rule-only",)),
        (PERMIT, Verdict("permit", "permit", None, REVEAL), ()),
    ],
)
def test_a_change_of_decision_has_its_words(old, new, said):
    assert changes(old, new) == said
    assert set(said) <= set(CHANGES)


@pytest.mark.parametrize(
    ("old", "new", "entity", "said"),
    [
        (REDACT, REDACT, "MRN", None),
        (REDACT, REVEAL, "MRN", "newly-shown"),
        (REVEAL, REDACT, "MRN", "newly-hidden"),
        (None, REDACT, "MRN", "newly-hidden"),
        (REDACT, None, "MRN", "newly-shown"),
        (None, None, "MRN", None),
        (None, REVEAL, "MRN", None),
        (REDACT, mask(MRN="hash"), "MRN", "masked-otherwise"),
        (REDACT, mask(MRN="hash"), "PERSON", None),
        (mask(bias="recall"), mask(), "MRN", "masked-otherwise"),
        (mask(MRN="keep"), mask(other="keep"), "MRN", None),
    ],
)
def test_a_kind_of_identifier_shifts_by_what_its_masks_do_to_it(old, new, entity, said):
    assert shift(old, new, entity) == said


def test_to_hide_in_part_is_to_hide():
    assert hides(mask(DATE_TIME="year"), "DATE_TIME")
    assert not hides(mask(DATE_TIME="keep"), "DATE_TIME")
    assert not hides(None, "MRN")


MASKS = [None, REDACT, REVEAL, mask(MRN="keep"), mask(other="keep", PERSON="hash"), mask(MRN="hash", PERSON="keep")]


@pytest.mark.parametrize(("old", "new"), list(product(MASKS, MASKS)))
def test_what_is_listed_for_all_kinds_is_what_shifts_each(old, new):
    listed = shifts(old, new)
    for entity in ("MRN", "PERSON", "US_SSN", "SOME_OTHER"):
        assert [kind for kind, of in listed.items() if shifted(of, entity)] == list(
            filter(None, [shift(old, new, entity)])
        )


def test_all_kinds_are_one_word():
    assert shifts(REDACT, REVEAL) == {"newly-shown": ("*",)}
    assert shifts(REDACT, mask(MRN="keep")) == {"newly-shown": ("MRN",)}


PERMITTED = Permit("care", ("care",), REDACT, REVEAL)


@pytest.mark.parametrize(
    ("decision", "more", "said"),
    [
        (PERMITTED, {}, Verdict("permit", "care", None, REDACT, REVEAL)),
        (PERMITTED, {"readable": False}, Verdict("deny", None, "content-unreadable")),
        (PERMITTED, {"steers": True}, Verdict("deny", None, "steering-refused")),
        (Permit("care", ("care",), REVEAL), {"steers": True}, Verdict("permit", "care", None, REVEAL)),
        (
            Permit("care", ("care",), REDACT, opaque=True, steering=True),
            {"steers": True, "readable": False},
            Verdict("permit", "care", None, REDACT),
        ),
        (Hold("see", ("see",), ""), {"readable": False}, Verdict("hold", "see", "approval-required")),
        (Deny(None, (), "no-rule", ""), {"steers": True}, Verdict("deny", None, "no-rule")),
    ],
)
def test_what_comes_of_a_decision_looks_at_the_content_too(decision, more, said):
    assert verdict(decision, **more) == said

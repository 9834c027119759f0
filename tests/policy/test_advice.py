"""What a policy says that can never come about."""

import pytest

from phigate.policy.advice import advice
from tests.policies import policy

ASK = "{name: ask, hold: [clinician], to: [chat], models: ['*'], mask: lean, approvers: [officer, researcher]}"
SOS = "{name: sos, break_glass: [clinician], to: [chat], models: ['*'], mask: reveal, review_by: [officer]}"
OFFICERS = "{name: officers, permit: [officer], to: [review], models: ['*']}"
ALL = "{name: all, permit: ['*'], to: [review], models: ['*']}"
NOT_OFFICERS = "{name: not-officers, deny: [officer], to: ['*']}"

CASES = [
    ("everybody may review", (ASK, SOS, ALL), []),
    ("one of two roles may", (ASK, OFFICERS), ["no rule permits `researcher` to `review`, so they never answer"]),
    (
        "no role may",
        (ASK,),
        ["no rule permits `officer`, `researcher` to `review`, so they never answer", "nobody can ever answer"],
    ),
    ("reviewers", (SOS,), ["no rule permits `officer` to `review`, so they never answer", "nobody can ever answer"]),
    ("a deny", (SOS, ALL, NOT_OFFICERS), ["no rule permits `officer` to `review`, so they never answer", "nobody can"]),
]


@pytest.mark.parametrize(("sentence", "rules", "said"), CASES, ids=[case[0] for case in CASES])
def test_it_is_said_of(sentence, rules, said):
    found = list(advice(policy(*rules)))
    assert len(found) == len(said)
    assert all(part in each for part, each in zip(said, found, strict=True))


def test_it_names_the_place():
    assert next(advice(policy(SOS))).startswith("rules[sos].review_by: ")

from __future__ import annotations

import re

from phigate.masking.detectors import DETECTORS
from phigate.policy.schema import ENTITIES


def test_every_row_has_its_own_name() -> None:
    names = [each.name for each in DETECTORS]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z0-9]+(?:-[a-z0-9]+)*", name) for name in names)


def test_every_row_finds_an_entity_of_the_policy() -> None:
    assert {each.entity for each in DETECTORS} <= ENTITIES


def test_every_row_carries_samples_of_both_kinds_and_a_score() -> None:
    assert all(each.hits and each.misses and 0 < each.score <= 1 for each in DETECTORS)

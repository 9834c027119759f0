"""Clinical sentences without identifiers: nothing is found, as they stand, in lower case and in ALL CAPS."""

from __future__ import annotations

from pathlib import Path

import pytest

from phigate.masking import Detectors
from tests.masking.rows import found

LINES = (Path(__file__).parent / "clinical_negatives.txt").read_text(encoding="utf-8").splitlines()
SENTENCES = [line for line in LINES if line and not line.startswith("#")]


def test_the_table_is_long_enough_to_say_something() -> None:
    assert len(set(SENTENCES)) >= 200


@pytest.mark.parametrize("sentence", SENTENCES)
def test_nothing_is_found(sentence: str) -> None:
    for text in (sentence, sentence.lower(), sentence.upper()):
        assert found(Detectors(), text) == []


def test_nothing_is_found_in_all_of_them_together() -> None:
    assert found(Detectors(), "\n".join(SENTENCES)) == []

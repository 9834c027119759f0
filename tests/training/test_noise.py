"""What happens to text on its way."""

from random import Random

import pytest

from training.noise import CASES, OTHERS, noisy
from training.template import Piece

PIECES = [
    Piece("Dr. "),
    Piece("Ana O'Brien-Núñez", "PERSON", "doctor"),
    Piece(" saw the patient at "),
    Piece("St. Anne's Clinic", "ORGANIZATION", "facility"),
    Piece(" yesterday, for chest pain. Plan: "),
    Piece("Stone, Maria", "PERSON", "patient"),
    Piece(" will return."),
]


@pytest.mark.parametrize("change", [change for change, _ in (*CASES, *OTHERS)], ids=lambda change: change.__name__)
def test_every_change_keeps_the_labels_in_order(change):
    labels = [piece.label for piece in PIECES if piece.label]
    changed = 0
    for seed in range(60):
        made = change(list(PIECES), Random(seed))
        kept = [piece.label for piece in made if piece.label]
        assert kept == labels or (change.__name__ == "cut" and kept == labels[: len(kept)])
        assert all(piece.text.strip() for piece in made if piece.label)
        changed += made != PIECES
    assert changed > 5


def test_most_texts_stay_as_they_are_in_case():
    made = ["".join(piece.text for piece in noisy(list(PIECES), Random(seed))) for seed in range(800)]
    lower, upper = (sum(test(text) for text in made) / len(made) for test in (str.islower, str.isupper))
    assert 0.1 < lower < 0.18
    assert 0.08 < upper < 0.16

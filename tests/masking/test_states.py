from __future__ import annotations

import pytest

from phigate.masking.states import STATES, state_of


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("12 Quarry Lane, Salem, MA 01970-1234", "Massachusetts"),
        ("Salem, MA", "Massachusetts"),
        ("Salem MA", "Massachusetts"),
        ("Charleston, west virginia, USA", "West Virginia"),
        ("Portland, Oregon 97205", "Oregon"),
        ("Buffalo, New York.", "New York"),
    ],
)
def test_the_state_a_place_ends_with(text: str, state: str) -> None:
    assert state_of(text) == state


@pytest.mark.parametrize("text", ["", "Salem", "Washington", "12 Ohio Street", "Salem, ma", "MA Salem"])
def test_a_place_without_a_state(text: str) -> None:
    assert state_of(text) is None


def test_they_are_fifty_two() -> None:
    assert len(STATES) == 52

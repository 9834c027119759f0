from __future__ import annotations

import random

import rosters
from phigate.masking import parse_roster


def test_a_roster_is_the_same_each_time_and_of_the_size_asked_for() -> None:
    assert list(rosters.rows(50)) == list(rosters.rows(50))
    assert list(rosters.rows(50)) != list(rosters.rows(50, seed=2))
    assert len(rosters.text(50).splitlines()) == 51


def test_its_people_are_found_with_one_typo_and_mostly_with_two() -> None:
    roster = parse_roster(rosters.text(2000), "r.csv")
    chance = random.Random(3)
    people = [row for row in rosters.rows(2000) if len(row.first_name + row.last_name) >= 9][:500]

    def share(edits: int) -> float:
        found = 0
        for row in people:
            name = rosters.misspelt(f"{row.last_name}, {row.first_name}", edits, chance)
            text = f"Seen today: {name} was stable."
            covered = sum(hit.end - hit.begin for hit in roster.hits(text) if hit.begin >= 12)
            found += covered >= 0.95 * len(name)
        return found / len(people)

    assert share(0) == 1
    assert share(1) > 0.97
    assert share(2) > 0.9


def test_ordinary_text_has_none_of_them() -> None:
    roster = parse_roster(rosters.text(2000), "r.csv")
    text = "The patient was started on furosemide 40 mg twice a day; potassium 3.9, creatinine 1.1. Back in two weeks."
    assert roster.hits(text) == []

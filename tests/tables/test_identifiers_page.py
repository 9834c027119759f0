"""docs/identifiers.md names every detector and every entity that there is, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from phigate.masking import DETECTORS
from phigate.policy.schema import ENTITIES

PAGE = (Path(__file__).parents[2] / "docs" / "identifiers.md").read_text(encoding="utf-8")
ROWS = [line.split("|")[1:-1] for line in PAGE.partition("## ")[0].splitlines() if re.match(r"\| [A-R] \|", line)]
SOURCES = {"tagger", "roster"}


def named(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_each_of_the_eighteen_has_a_row() -> None:
    assert {row[0].strip() for row in ROWS} == set("ABCDEFGHIJKLMNOPQR")


def test_every_detector_stands_once_beside_its_entity() -> None:
    entity = {each.name: each.entity for each in DETECTORS}
    found = [name for row in ROWS for name in named(row[3]) if name not in SOURCES]
    assert sorted(found) == sorted(entity)
    assert [
        name for row in ROWS for name in named(row[3]) if name in entity and entity[name] not in named(row[2])
    ] == []


def test_every_entity_has_its_place() -> None:
    assert {word for row in ROWS for word in named(row[2])} == ENTITIES

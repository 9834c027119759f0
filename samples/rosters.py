"""Invented rosters of any size, for benchmarks and tests: `python samples/rosters.py 100000 > roster.csv`."""

from __future__ import annotations

import csv
import random
import sys
from typing import TYPE_CHECKING, NamedTuple

from phigate.masking.given import FEMALE, MALE
from phigate.masking.surrogates import BACK, FRONT

if TYPE_CHECKING:
    from collections.abc import Iterator

GIVEN = (*FEMALE.split(), *MALE.split(), "Zoë", "José", "Jürgen", "Søren", "Chloé", "Łukasz", "Núria", "Çağla")
PREFIXES = ("van ", "de ", "O'", "Mc", "van der ")
EDITS = "abcdefghijklmnopqrstuvwxyz"


class Row(NamedTuple):
    """One invented patient."""

    first_name: str
    middle_name: str
    last_name: str
    mrn: str
    phone: str


def rows(count: int, seed: int = 1) -> Iterator[Row]:
    """So many patients; few names are common and many are rare, as with people."""
    chance = random.Random(seed)  # noqa: S311 - the same roster each time
    surnames = [front + back for front in FRONT for back in BACK]
    chance.shuffle(surnames)
    for _ in range(count):
        surname = _often(surnames, chance)
        if chance.random() < 0.05:
            surname = chance.choice(PREFIXES) + surname
        if chance.random() < 0.05:
            surname += f"-{_often(surnames, chance)}"
        middle = _often(GIVEN, chance) if chance.random() < 0.4 else ""
        number = f"{chance.randrange(10**7, 10**8)}"
        phone = f"({chance.randrange(200, 990)}) 555-{chance.randrange(10**4):04}"
        yield Row(_often(GIVEN, chance), middle, surname, number, phone)


def text(count: int, seed: int = 1) -> str:
    """The same as a CSV file."""
    lines = [",".join(Row._fields), *(",".join(row) for row in rows(count, seed))]
    return "\n".join(lines) + "\n"


def misspelt(name: str, edits: int, chance: random.Random) -> str:
    """A name with so many letters wrong, missing, too many or swapped; blanks and commas stay."""
    for _ in range(edits):
        name = _misspelt(name, chance)
    return name


def _misspelt(name: str, chance: random.Random) -> str:
    while True:
        at, letter = chance.randrange(len(name)), chance.choice(EDITS)
        if not name[at].isalpha():
            continue
        letter = letter.upper() if name[at].isupper() else letter
        made = (
            name[:at] + letter + name[at + 1 :],
            name[:at] + name[at + 1 :],
            name[: at + 1] + letter.lower() + name[at + 1 :],
            name[:at] + name[at + 1 : at + 2] + name[at] + name[at + 2 :] if name[at + 1 : at + 2].isalpha() else name,
        )[chance.randrange(4)]
        if made != name:
            return made


def _often(names: tuple[str, ...] | list[str], chance: random.Random) -> str:
    return names[int(len(names) * chance.random() ** 2.5)]


if __name__ == "__main__":
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(Row._fields)
    writer.writerows(rows(int(sys.argv[1])))

"""Texts for measuring how fast identifiers are found: clinical prose, JSON around it, a roster, and hostile ones.

Everything is invented and the same at every run; about one identifier in 120 characters, as in notes.
"""

from __future__ import annotations

import json
import random
from functools import cache
from typing import TYPE_CHECKING, Final

import re2  # type: ignore[import-untyped]  # google-re2 ships no types

from phigate.masking.patterns import ASSERTIONS, Alt, Atom, Group, Repeat, Seq, opened, parse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from phigate.masking import Detector
    from phigate.masking.patterns import Node

_FIRST: Final = (
    "Ida",
    "Otto",
    "Mai",
    "Silas",
    "Petra",
    "Hugo",
    "Wilma",
    "Kit",
    "Odile",
    "Ruben",
    "Nora",
    "Chidi",
    "Ann",
)
_LAST: Final = ("Bellweather", "Brandt", "Quarrel", "Penn", "Quist", "Okafor", "Lowe", "Durand", "Ashdown", "Thistle")
_SYLLABLES: Final = tuple(a + b for a in "bdklmnrstv" for b in "aeiou")
_PROSE: Final = (
    "She slept well, ate half of her breakfast and walked the length of the corridor with help. ",
    "Lungs are clear to auscultation bilaterally, no wheezes, rales or rhonchi. ",
    "Continue furosemide 40 mg by mouth daily, recheck potassium and creatinine in the morning. ",
    "The wound is clean and dry without erythema; the Foley catheter was removed without difficulty. ",
    "Troponin was 0.02 ng/mL twice, the ECG shows sinus rhythm at 72 beats a minute. ",
    "Past history of hypertension, type 2 diabetes and Parkinson's disease, otherwise noncontributory. ",
    "Denies chest pain, shortness of breath, fever, chills, nausea or vomiting. ",
    "We discussed the risks and benefits of the procedure at length, and all questions were answered. ",
    "Blood pressure 132/78, pulse 80, respirations 16, oxygen saturation 97 % on room air. ",
    "Assessment: acute on chronic systolic heart failure, improving with diuresis. ",
)
_TOLD: Final = (
    "Patient: {first} {last}, MRN: {mrn}, born {date}. ",
    "{first} {last} was seen by Dr. {other} on {date}. ",
    "Reach her daughter {first} at {phone} or {first2}.{last2}@mail.example. ",
    "SSN {ssn}, member ID HP{mrn}4. ",
    "Mr. {last} lives at {number} Quarry Street, Springfield, OR {zip}. ",
    "Transferred from Cedar Crest Hospital on {date}, accession S26-{mrn}. ",
    "Signed, {first} {last}, MD {date} ",
)


def _told(chance: random.Random) -> str:
    first, first2, last, last2, other = (
        *chance.sample(_FIRST, 2),
        *chance.sample(_LAST, 3),
    )
    return chance.choice(_TOLD).format(
        first=first,
        last=last,
        other=other,
        first2=first2.lower(),
        last2=last2.lower(),
        mrn=chance.randint(1_000_000, 9_999_999),
        date=f"{chance.randint(1, 12):02}/{chance.randint(1, 28):02}/{chance.randint(1935, 2026)}",
        phone=f"(503) 555-{chance.randint(100, 199):04}",
        ssn=f"{chance.randint(100, 665)}-{chance.randint(10, 99)}-{chance.randint(1000, 9999)}",
        number=chance.randint(1, 9999),
        zip=f"97{chance.randint(100, 499)}",
    )


@cache
def clinical(size: int) -> str:
    """Return notes of so many characters."""
    chance, parts, held = random.Random(size), [], 0  # noqa: S311 -- the same text at every run is what is wanted
    while held < size:
        part = _told(chance) + chance.choice(_PROSE) + ("\n\n" if chance.random() < 0.1 else "")
        parts.append(part)
        held += len(part)
    return "".join(parts)[:size]


@cache
def tree(size: int) -> str:
    """Return JSON of about so many characters: records with a few fields and a note."""
    records: list[dict[str, object]] = []
    held, chance = 0, random.Random(size)  # noqa: S311 -- as above
    while held < size:
        note = "".join(_told(chance) + chance.choice(_PROSE) for _ in range(3))
        records.append({"id": len(records), "status": "final", "note": note[: max(20, size - held - 60)], "value": 7.4})
        held += len(json.dumps(records[-1])) + 2
    return json.dumps(records)[:size]


@cache
def roster(entries: int) -> tuple[tuple[str, str], ...]:
    """Return names and numbers of people who are not, each once."""
    chance = random.Random(entries)  # noqa: S311 -- as above

    def word(least: int) -> str:
        return "".join(chance.choices(_SYLLABLES, k=chance.randint(least, 4))).capitalize()

    return tuple(
        ("MRN", f"{70_000_000 + number}") if number % 4 == 0 else ("PERSON", f"{word(2)} {word(3)}")
        for number in range(entries)
    )


# -- hostile texts --------------------------------------------------------------------------------------------------


def hostile(row: Detector, size: int) -> Iterator[tuple[str, str]]:
    """Return for a detector (kind, text) of so many characters: matches that break off, again and again.

    `whole`: its longest match, one after the other; `broken`: the same without its last character; `begun`: half of
    it; `inner`: its largest repetition, alone; `glued`: whole matches with nothing between them that ends a word.
    """
    node = parse(opened(row.pattern))
    longest = sample(node)
    kinds = {
        "whole": f"{longest} ",
        "broken": f"{longest[:-1]}{_other(longest[-1:])}",
        "begun": longest[: max(1, len(longest) // 2)],
        "inner": max(_repeated(node), key=len, default="x"),
        "glued": longest,
    }
    for kind, unit in kinds.items():
        yield kind, (unit * (size // len(unit) + 1))[:size]


def _other(character: str) -> str:
    return "\u00a7" if character.isalnum() else "x"


def sample(node: Node) -> str:
    """Return a text that the tree matches, as long as it can be where that is simple to say."""
    match node:
        case Atom(source, flags):
            return "" if source in ASSERTIONS else _character(source, flags)
        case Seq(parts):
            return "".join(map(sample, parts))
        case Alt(branches):
            return max(map(sample, branches), key=len)
        case Repeat(body, _, most):
            return sample(body) * most
        case Group(_, body):
            return sample(body)


def _repeated(node: Node) -> Iterator[str]:
    match node:
        case Seq(parts) | Alt(parts):
            for part in parts:
                yield from _repeated(part)
        case Repeat(body, _, most):
            if text := sample(body) * most:
                yield text
        case Group(_, body):
            yield from _repeated(body)


@cache
def _character(source: str, flags: str) -> str:
    found = re2.compile(f"(?i:{source})" if flags else source)
    candidates = "a7A5 -,.:/#@'\"\n\t()[]{}<>*_=+&%$!?;|~^`\\" + "".join(map(chr, range(33, 0x250)))
    return next((each for each in candidates if found.fullmatch(each)), "\u00e9")

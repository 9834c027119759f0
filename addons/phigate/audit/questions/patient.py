"""Whom a question is about: texts in, the keyed identifiers under which the journal knows what they name.

A text is read as a prompt would be, by every source of evidence and with every key that there ever was; or its kind is
given, and it is taken as it is. What comes out tells nothing to those who do not hold the keys.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from phigate.masking import Sight, Transformer
from phigate.masking.identifiers import identifiers
from phigate.policy.words import ENTITIES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from phigate.masking import Secrets
    from phigate.policy.schema import Mask
    from phigate.sources import Sources


WORDS: Final = frozenset({"PERSON", "LOCATION", "ORGANIZATION"})
PLAIN: Final = frozenset({"DATE_TIME", "AGE", "URL", "EMAIL_ADDRESS", "IP_ADDRESS"})
"""Kinds that show by their form, wherever they stand."""


@dataclass(frozen=True, slots=True)
class Patient:
    """The texts of a question; `identifiers` tells of each keyed identifier in which text (from 1) it stands."""

    identifiers: dict[str, int]
    silent: tuple[int, ...] = ()
    """The texts in which nothing was found."""
    named: frozenset[str] = frozenset()
    """Those that were found in the texts; the others are the same values as other kinds, which a record may hold."""

    def kinds(self) -> list[str]:
        """What was found, as people are told: the kind (a name is asked for as all that it may be) and its text."""
        found = ((entity_of(value), self.identifiers[value]) for value in self.named)
        return sorted({f"{'name' if entity in WORDS else entity} (text {number})" for entity, number in found})


def entity_of(identifier: str) -> str:
    """The kind that a keyed identifier names."""
    return identifier.partition(":")[0]


def given(texts: Sequence[str], entity: str, secrets: Secrets) -> Patient:
    """Texts that are identifiers of one kind."""
    found = {value: number for number, text in enumerate(texts, 1) for value in identifiers(entity, text, secrets)}
    return Patient(found, named=frozenset(found))


def read(texts: Sequence[str], sources: Sources, mask: Mask, secrets: Secrets) -> Patient:
    """Texts in which identifiers are to be found; `mask` says what counts as one, as it does for the records.

    A name that stands alone, or a number without its label, may be taken for another kind than in the sentence that was
    recorded: each value is asked for as every kind that it might be.
    """
    found = [(number, _seen(text, sources, mask, secrets.every)) for number, text in enumerate(texts, 1)]
    named = {value: number for number, values in found for value in values}
    others = {
        value: number
        for number, values in found
        for hit in sources.detectors.find(texts[number - 1])
        if values
        for kind in alike(hit.entity)
        for value in identifiers(kind, texts[number - 1][hit.start : hit.end], secrets)
    }
    return Patient(others | named, tuple(number for number, values in found if not values), frozenset(named))


def alike(entity: str) -> frozenset[str]:
    """The kinds that a value of this one may have been taken for in another sentence."""
    if entity in WORDS:
        return WORDS
    return frozenset({entity}) if entity in PLAIN else ENTITIES - WORDS - PLAIN


def _seen(text: str, sources: Sources, mask: Mask, keys: Iterable[Secrets]) -> set[str]:
    values: set[str] = set()
    for key in keys:
        sight = Sight(sources.detectors, key, None, Transformer(mask, key, "question", sources.roster))
        sight.text(text)
        values |= sight.identifiers
    return values

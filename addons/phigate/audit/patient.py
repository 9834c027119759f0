"""Whom a question is about: texts in, the keyed identifiers under which the journal knows what they name.

A text is read as a prompt would be, by every source of evidence and with every key that there ever was; or its kind is
given, and it is taken as it is. What comes out tells nothing to those who do not hold the keys.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from phigate.masking import Sight, Transformer
from phigate.masking.identifiers import identifiers

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from phigate.masking import Secrets
    from phigate.policy.schema import Mask
    from phigate.sources import Sources


@dataclass(frozen=True, slots=True)
class Patient:
    """The texts of a question; `identifiers` tells of each keyed identifier in which text (from 1) it stands."""

    identifiers: dict[str, int]
    silent: tuple[int, ...] = ()
    """The texts in which nothing was found."""

    def kinds(self) -> list[str]:
        """What was found, as people are told: the kind and the number of its text."""
        return sorted({f"{entity_of(value)} (text {number})" for value, number in self.identifiers.items()})


def entity_of(identifier: str) -> str:
    """The kind that a keyed identifier names."""
    return identifier.partition(":")[0]


def given(texts: Sequence[str], entity: str, secrets: Secrets) -> Patient:
    """Texts that are identifiers of one kind."""
    found = {value: number for number, text in enumerate(texts, 1) for value in identifiers(entity, text, secrets)}
    return Patient(found)


def read(texts: Sequence[str], sources: Sources, mask: Mask, secrets: Secrets) -> Patient:
    """Texts in which identifiers are to be found; `mask` says what counts as one, as it does for the records."""
    found = [(number, _seen(text, sources, mask, secrets.every)) for number, text in enumerate(texts, 1)]
    return Patient(
        {value: number for number, values in found for value in values},
        tuple(number for number, values in found if not values),
    )


def _seen(text: str, sources: Sources, mask: Mask, keys: Iterable[Secrets]) -> set[str]:
    values: set[str] = set()
    for key in keys:
        sight = Sight(sources.detectors, key, None, Transformer(mask, key, "question", sources.roster))
        sight.text(text)
        values |= sight.identifiers
    return values

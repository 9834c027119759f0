"""Masks: for each entity the one transform that hides it, and how sure, how wide and how careful the mask is.

A mask always answers: what it does not name falls to OTHER, and a mask without OTHER cannot be made.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from phigate.policy.words import BIASES, OTHER, SCOPES, TRANSFORMS, UNDECODABLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_RANK = {name: rank for rank, name in enumerate(TRANSFORMS)}


@dataclass(frozen=True, slots=True)
class Transform:
    """One way to hide a value; `keep` is how many characters `keep-last` leaves."""

    name: str
    keep: int = 4

    def __post_init__(self) -> None:
        if self.name not in _RANK:
            raise ValueError("no such transform")

    @property
    def strictness(self) -> tuple[int, int]:
        """Smaller is stricter; of two `keep-last` the one that keeps less."""
        return (_RANK[self.name], self.keep)


@dataclass(frozen=True, slots=True)
class Mask:
    """A named profile: entity -> transform, with OTHER for the rest."""

    name: str
    transforms: Mapping[str, Transform]
    scope: str = "subject"
    """Of SCOPES: within what the same value gets the same stand-in, and dates move together."""
    bias: str = "balanced"
    """Of BIASES: how sure a finding must be."""
    undecodable: str = "redact"
    """Of UNDECODABLE."""

    def __post_init__(self) -> None:
        if OTHER not in self.transforms:
            raise ValueError("a mask needs OTHER")
        if self.scope not in SCOPES or self.bias not in BIASES or self.undecodable not in UNDECODABLE:
            raise ValueError("no such option of a mask")
        object.__setattr__(self, "transforms", MappingProxyType(dict(self.transforms)))

    @property
    def hides(self) -> bool:
        """Whether it hides anything at all."""
        return any(transform.name != "keep" for transform in self.transforms.values())

    def __hash__(self) -> int:
        return hash(self.name)

    def __reduce__(self) -> tuple[type[Mask], tuple[str, dict[str, Transform], str, str, str]]:
        # A mapping proxy cannot be copied or pickled; pydantic copies defaults.
        return Mask, (self.name, dict(self.transforms), self.scope, self.bias, self.undecodable)

    def of(self, entity: str) -> Transform:
        return self.transforms.get(entity) or self.transforms[OTHER]

    @property
    def threshold(self) -> float:
        """The score from which on a finding is hidden."""
        return BIASES[self.bias]

    @property
    def keeps_all(self) -> bool:
        """No identifier is hidden."""
        return all(transform.name == "keep" for transform in self.transforms.values())

    @property
    def reveals(self) -> bool:
        """Nothing is hidden."""
        return self.keeps_all and self.undecodable == "permit"


REVEAL = Mask("reveal", {OTHER: Transform("keep")}, undecodable="permit")
REDACT = Mask("redact", {OTHER: Transform("redact")})
"""What holds where no rule says how to mask."""


def strictest(masks: Iterable[Mask]) -> Mask:
    """One mask that hides each entity at least as well as every one of `masks`; REDACT for none.

    Of the masks that hide anything it has the lowest threshold and the narrowest scope.
    """
    distinct = sorted(set(masks), key=lambda mask: mask.name)
    if len(distinct) < 2:
        return distinct[0] if distinct else REDACT
    entities = {entity for mask in distinct for entity in mask.transforms}
    transforms = {
        entity: min((mask.of(entity) for mask in distinct), key=lambda transform: transform.strictness)
        for entity in entities
    }
    hiding = [mask for mask in distinct if not mask.keeps_all] or distinct
    return Mask(
        "+".join(mask.name for mask in distinct),
        transforms,
        scope=min((mask.scope for mask in hiding), key=SCOPES.index),
        bias=min((mask.bias for mask in hiding), key=BIASES.__getitem__),
        undecodable=min((mask.undecodable for mask in distinct), key=UNDECODABLE.index),
    )

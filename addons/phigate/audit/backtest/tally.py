"""What came out of comparing decisions: counts by rule, role and model, with some exchanges as examples. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from phigate.policy.verdict import CHANGES

if TYPE_CHECKING:
    from collections.abc import Sized

    from phigate.policy.verdict import Verdict

EXAMPLES: Final = 3
MOST_GROUPS: Final = 5_000
"""Rows that are kept apart; models beyond that, which callers may have named, count together."""
OTHERS: Final = "(others)"
KINDS: Final = (*CHANGES, "undecided", "unreadable")
"""What an exit code may depend on."""


@dataclass(frozen=True, slots=True)
class Place:
    """The exchange, the subject's roles and the model of a request, as they were recorded."""

    exchange: str
    roles: str
    model: str
    counted: set[str] = field(default_factory=set, compare=False, hash=False)
    """The words under which it is counted already."""


@dataclass(slots=True)
class Group:
    """How many exchanges changed in one way; `found` is the number of identifiers, where it is about those."""

    count: int = 0
    found: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, exchange: str, found: int = 0) -> None:
        self.count += 1
        self.found += found
        if len(self.examples) < EXAMPLES:
            self.examples.append(exchange)


@dataclass(frozen=True, slots=True, order=True)
class Change:
    """A change of decision: its words, the verb and the rule (or reason) before and after."""

    kinds: tuple[str, ...]
    before: str
    after: str
    role: str
    model: str


@dataclass(frozen=True, slots=True, order=True)
class Masked:
    """A change of what is shown: to the caller of an answer, or to the model of a prompt; the transforms, if known."""

    kind: str
    side: str
    entity: str
    before: str
    after: str
    rule: str
    role: str
    model: str


@dataclass(frozen=True, slots=True, order=True)
class Open:
    """What cannot be told, and why; `likely` are the changes that the masked text speaks for."""

    why: str
    likely: tuple[str, ...]
    role: str
    model: str


@dataclass(slots=True)
class Tally:
    """Each exchange counts once a word in `kinds`; `apart` are those that no rule is about, by their reason."""

    exchanges: int = 0
    same: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    changes: dict[Change, Group] = field(default_factory=dict)
    masks: dict[Masked, Group] = field(default_factory=dict)
    open: dict[Open, Group] = field(default_factory=dict)
    apart: Counter[str] = field(default_factory=Counter)
    unreadable: Counter[str] = field(default_factory=Counter)
    broke: Counter[str] = field(default_factory=Counter)
    """What a policy on trial broke with."""

    def compare(self, place: Place, old: Verdict, new: Verdict, kinds: tuple[str, ...]) -> None:
        """Count a request of which it is known what comes of it on both sides."""
        if not kinds:
            self.same += 1
            return
        self.change(place, said(old), said(new), kinds)

    def change(self, place: Place, before: str, after: str, kinds: tuple[str, ...]) -> None:
        """Count a decision that changed."""
        for kind in kinds:
            self._once(place, kind)
        key = Change(kinds, before, after, place.roles, self._model(place, self.changes))
        self.changes.setdefault(key, Group()).add(place.exchange)

    def mask(  # noqa: PLR0917 -- the columns of a row, in their order
        self,
        place: Place,
        new: Verdict,
        side: str,
        entity: str,
        ways: tuple[str | None, str],
        kind: str,
        number: int,
    ) -> None:
        """Count a kind of identifier that is seen otherwise."""
        self._once(place, kind)
        before, after = ways
        key = Masked(
            *(kind, side, entity, before or "?", after, new.rule or "-", place.roles), self._model(place, self.masks)
        )
        self.masks.setdefault(key, Group()).add(place.exchange, number)

    def leave_open(self, why: str, likely: tuple[str, ...], place: Place) -> None:
        """Count a request of which it cannot be told."""
        self._once(place, "undecided")
        key = Open(why, likely, place.roles, self._model(place, self.open))
        self.open.setdefault(key, Group()).add(place.exchange)

    def _once(self, place: Place, kind: str) -> None:
        """Count an exchange once a word, though several kinds of identifiers change in it."""
        if kind not in place.counted:
            place.counted.add(kind)
            self.kinds[kind] += 1

    @staticmethod
    def _model(place: Place, groups: Sized) -> str:
        return place.model if len(groups) < MOST_GROUPS else OTHERS


def said(of: Verdict) -> str:
    """A verdict in a few words: `permit clinicians-chat`, `deny no-rule`."""
    return f"{of.verb} {of.rule or of.reason or ''}".rstrip()

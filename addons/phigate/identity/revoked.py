"""Who is out before their bearer ends: the ledger's revocations as they are looked up for each request.

A subject's entry is about every bearer issued at or before its `cut`; whoever signs in again afterwards is in again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from phigate.exchange import Subject
    from phigate.ledger import Revocation


class Revoked:
    """Revocations in memory, until their bearers are over anyway."""

    def __init__(self) -> None:
        self._bearers: dict[tuple[str, str], float] = {}
        self._subjects: dict[tuple[str, str], tuple[float, float]] = {}

    def __len__(self) -> int:
        return len(self._bearers) + len(self._subjects)

    def add(self, entries: Iterable[Revocation]) -> None:
        """Take entries in; a later `cut` of the same subject replaces an earlier one, never the other way round."""
        for entry in entries:
            if entry.jti is not None:
                self._bearers[entry.issuer, entry.jti] = entry.expires
            elif entry.subject is not None:
                cut, expires = self._subjects.get((entry.issuer, entry.subject), (entry.cut, entry.expires))
                self._subjects[entry.issuer, entry.subject] = max(cut, entry.cut), max(expires, entry.expires)

    def covers(self, subject: Subject) -> bool:
        """Whether the bearer behind this subject was taken back."""
        if self._bearers and any(bearer in self._bearers for bearer in _bearers(subject)):
            return True
        cut = self._subjects.get((subject.issuer, subject.id))
        return cut is not None and subject.issued <= cut[0]

    def forget(self, now: float) -> None:
        """Drop what is about bearers that are over."""
        self._bearers = {key: expires for key, expires in self._bearers.items() if expires > now}
        self._subjects = {key: entry for key, entry in self._subjects.items() if entry[1] > now}


def _bearers(subject: Subject) -> tuple[tuple[str, str], ...]:
    own = ((subject.signed_by or subject.issuer, subject.jti),) if subject.jti is not None else ()
    return own + subject.family

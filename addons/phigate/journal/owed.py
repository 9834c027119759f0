"""What the journal owes: records of answers that were withheld since a record of theirs was not kept. Pure.

- One for each exchange, the newest: whatever failed, an exchange is told to be withheld once.
- A request that was refused since its record came too late is owed an answer only if that record was kept after all.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from phigate.journal import chain
from phigate.journal.head import Receipt, unanswered, unrecorded

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from phigate.journal.course import Course


class Owed:
    """By exchange: the response that is to be recorded, and the request that it waits for."""

    def __init__(self) -> None:
        self._every: dict[str, tuple[Receipt | None, Mapping[str, Any]]] = {}

    def __len__(self) -> int:
        return len(self._every)

    def withheld(self, response: Mapping[str, Any]) -> None:
        """The answer that these fields tell of did not go out, or not to its end."""
        self._every[str(response.get("exchange"))] = None, unrecorded(response)

    def refused(self, request: Receipt) -> None:
        """The request that this record tells of went no further."""
        exchange = str(request.fields.get("exchange"))
        self._every[exchange] = request, unanswered(exchange)

    def pay(self, course: Course, now: datetime) -> None:
        """Queue what can be told by now; raises JournalDown, and then the rest is still owed."""
        for exchange, (asked, fields) in list(self._every.items()):
            if asked is not None and not asked.done and asked.commit is course.commit:
                continue  # it is not known yet whether there is anything to answer
            if asked is None or exchange in course.kept.open:
                _put(course, exchange, fields, now)
            del self._every[exchange]


def _put(course: Course, exchange: str, fields: Mapping[str, Any], now: datetime) -> None:
    try:
        course.put("response", fields, now)
    except chain.Unrecordable:  # what was found in it may be more than a line holds: its outcome is not
        with suppress(chain.Unrecordable):
            course.put("response", unanswered(exchange), now)

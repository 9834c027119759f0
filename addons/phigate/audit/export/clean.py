"""Text of strangers, made fit for the formats that exports are written in: values in, values out.

Rules of this file: nothing that comes out moves a cursor, turns the reading direction or starts a formula; what cannot
stand is replaced by U+FFFD or percent-encoded, never dropped without a trace.
"""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final
from urllib.parse import quote

import orjson

from phigate.audit.questions.show import plain

LONGEST: Final = 4096
"""Characters of one text; what is longer is cut and ends with CUT."""
CUT: Final = " [cut]"
_FORMULA: Final = frozenset("=+-@\uff1d\uff0b\uff0d\uff20")
"""What makes a cell a formula; full-width ones count in some spreadsheets, and tabs and line ends are gone by then."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def line(value: object) -> str:
    """One line of text, whose only white space are spaces; empty when there is nothing to say."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else str(value)
    if not text.isprintable():
        text = "".join(" " if each.isspace() else each for each in plain(text).plain)
    text = text.strip()
    return text if len(text) <= LONGEST else text[: LONGEST - len(CUT)] + CUT


def word(value: object) -> str:
    """A `code` of FHIR: no space at either end, no two together."""
    return " ".join(line(value).split())


@lru_cache(maxsize=4096)  # issuers are few
def uri(value: object) -> str:
    """A `uri` of FHIR holds no space; what RFC 3986 does not allow is percent-encoded."""
    return quote(line(value), safe="-._~:/?#[]@!$&'()*+,;=%")


@lru_cache(maxsize=4096)  # so are rules, policies and entities
def part(value: object) -> str:
    """One part of a URN of ours (RFC 8141): everything but unreserved characters is percent-encoded."""
    return quote(line(value), safe="-._~")


def cell(value: object) -> str:
    """A cell of CSV that no spreadsheet takes for a formula: one that could be gets an apostrophe before it."""
    text = line(value)
    return f"'{text}" if text[:1] in _FORMULA else text


def address(value: object) -> str | None:
    """An IP address, or None."""
    try:
        return str(ipaddress.ip_address(str(value)))
    except ValueError:
        return None


def moment(at: float | None) -> datetime:
    """Seconds since the epoch as a time in UTC; what is none of this calendar is the epoch."""
    try:
        return _EPOCH if at is None else datetime.fromtimestamp(at, UTC)
    except (ValueError, OverflowError, OSError):
        return _EPOCH


def instant(at: float | None) -> str:
    """The same as RFC 3339 writes it, to the microsecond."""
    return moment(at).isoformat(timespec="microseconds")[:26] + "Z"


def some(members: dict[str, Any]) -> dict[str, Any]:
    """Without the members that say nothing: FHIR, OCSF and ECS have no empty ones."""
    return {name: value for name, value in members.items() if value is not None and value not in ("", [], {})}


def names(listed: object) -> list[str]:
    """The names in a JSON list, as the index keeps them."""
    found = orjson.loads(listed) if isinstance(listed, str) else []
    return [name for name in found if isinstance(name, str)] if isinstance(found, list) else []


def text_of(value: object) -> str | None:
    """A member's value as text, as JSON where it is none."""
    return value if value is None or isinstance(value, str) else orjson.dumps(value).decode()

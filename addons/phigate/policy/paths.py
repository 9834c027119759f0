"""The small path language of `fields`: where in a request's or an answer's JSON something stands.

    $.patient.name      the member `name` of the member `patient`; $['two words'] for any other name
    $.items[*].note     in each item of a list; $.items[0] in the first; $.meta.* in each member (or item)
    $..note             the member `note`, at any depth

It is a part of JSONPath (RFC 9535) with the same meaning; filters, slices and unions are not there.
"""

from __future__ import annotations

import re
from typing import NamedTuple

LONGEST = 32
"""Steps of a path."""
_STEP = re.compile(
    r"""(?P<deep>\.\.)(?:(?P<any_deep>\*)|(?P<name_deep>[\w-]{1,100}))
    |\.(?:(?P<any_name>\*)|(?P<name>[\w-]{1,100}))
    |\[(?:(?P<any_item>\*)|(?P<item>0|[1-9]\d{0,5})|'(?P<quoted>[^'\\]{1,100})'|"(?P<double>[^"\\]{1,100})")\]""",
    re.VERBOSE,
)


class Step(NamedTuple):
    """One step down: into a member (`key` is text), an item (a number), or any of either (None).

    `deep`: at any depth below.
    """

    key: str | int | None
    deep: bool = False


class BadPathError(ValueError):
    """A text that is no path; the message says why, in the operator's words."""


def steps(path: str) -> tuple[Step, ...]:
    """A path's steps; raises BadPathError."""
    if not path.startswith("$"):
        raise BadPathError("begins with `$`")
    found, at = [], 1
    while at < len(path):
        step = _STEP.match(path, at)
        if not step:
            raise BadPathError(f"cannot be read from its character {at + 1} on")
        at = step.end()
        found.append(_step(step))
    if not found:
        raise BadPathError("names nothing below `$`")
    if len(found) > LONGEST:
        raise BadPathError(f"has more than {LONGEST} steps")
    return tuple(found)


def _step(found: re.Match[str]) -> Step:
    deep = bool(found["deep"])
    if found["item"]:
        return Step(int(found["item"]))
    name = found["name_deep"] or found["name"] or found["quoted"] or found["double"]
    return Step(name, deep)

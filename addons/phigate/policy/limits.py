"""How much each person may ask for, in a time and at once (`limits`).

- Of several limits that concern somebody each one holds: what applies is the strictest.
- A limit that limits nothing is a fault.
- Each gateway counts by itself, but for what is `exact`: that all gateways count together, in the ledger.
"""

from __future__ import annotations

from collections.abc import Iterator  # noqa: TC003  # as in schema.py
from datetime import timedelta
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field

from phigate.policy.fields import Duration, Many, RoleOrAll, Says, Section, Some, Whole, Yes, one_of
from phigate.policy.sentences import fault, meant, quoted
from phigate.policy.tree import Path  # noqa: TC001  # as in schema.py

LONGEST: Final = timedelta(days=1)
MOST: Final = 64
"""Limits of one policy: each is looked at for each request."""


def _up_to_a_day(value: timedelta) -> timedelta:
    if value > LONGEST:
        raise fault("is too long: a day at most")
    return value


Period = Annotated[Duration, AfterValidator(_up_to_a_day), Says("duration up to `P1D`")]
Counted = Annotated[str, one_of("word", {"each", "together"}), Says("`each` or `together`")]


class Rate(Section):
    per: Period = Field(description="in any stretch of time as long as this")
    most: Annotated[Whole, Field(ge=1, le=1_000_000)] = Field(description="so many requests")


class Limit(Section):
    roles: Some[RoleOrAll] = Field(description="whom it concerns: who holds one of these roles; `*` is everybody")
    counted: Counted = Field(
        default="each", description="`each` person by themselves, or all whom it concerns `together`"
    )
    requests: Rate | None = Field(default=None, description="how many requests in a time")
    at_once: Annotated[Whole, Field(ge=1, le=100_000)] | None = Field(
        default=None, description="how many exchanges under way at the same time"
    )
    exact: Yes = Field(
        default=False, description="counted in the ledger, for all gateways together; without it each counts by itself"
    )


Limits = Annotated[Many[Limit], Field(max_length=MOST)]


def faults(policy: dict[str, Any]) -> Iterator[tuple[Path, str]]:
    """What must hold between the parts; of plain values, as `checks.faults`."""
    roles, limits = policy.get("roles"), policy.get("limits")
    known = set(roles) if isinstance(roles, dict) else set()
    for place, limit in enumerate(limits if isinstance(limits, list | tuple) else ()):
        if not isinstance(limit, dict):
            continue
        if "requests" not in limit and "at_once" not in limit:
            yield ("limits", place), "limits nothing: needs `requests` or `at_once`"
        named = limit.get("roles")
        for at, role in enumerate(named if isinstance(named, list | tuple) else ()):
            if isinstance(role, str) and role and role != "*" and role not in known:
                yield ("limits", place, "roles", at), f"unknown role {quoted(role)}{meant(role, known)}"

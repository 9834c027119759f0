"""Servers that speak no known dialect: what a policy's `routes` say of them, as routes and tables like all others.

Nothing in such a message is a protocol's own: every string is text, read together with its key and with what stands
beside it. In a stream, members that the policy calls `text` hold text that goes out as it comes.
"""

from __future__ import annotations

import re
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import orjson

from phigate.dialect.chunks import MEMBER
from phigate.dialect.codecs import JSON
from phigate.dialect.events import Event, Stream
from phigate.dialect.kserve import steers
from phigate.dialect.routes import Match, Route, RouteTable
from phigate.dialect.table import Dialect
from phigate.dialect.torchserve import READS, unclear, unreadable
from phigate.dialect.tree import Fields
from phigate.policy.paths import steps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from phigate.policy.schema import Policy
    from phigate.policy.schema import Route as Stated

NAME = "generic"
WHOLE = Fields(constant=frozenset(), drop=frozenset(), json=frozenset(), document=True)
MEDIA = {"ndjson": "application/x-ndjson", "sse": "text/event-stream", "text": "text/plain"}


def error_body(_status: int, code: str, message: str, extra: Mapping[str, Any] | None = None) -> bytes:
    """An error of our own making: nobody knows how such a server tells one."""
    return orjson.dumps({"error": {"code": code, "message": message, **(extra or {})}})


def failure(code: str, message: str) -> tuple[str, dict[str, Any]]:
    """The event that ends a stream which the gateway breaks off."""
    return "", {"error": {"code": code, "message": message}}


def _sentence(_code: str, message: str) -> tuple[str, dict[str, Any]]:
    """The same in a stream that is text and nothing else."""
    return "", {MEMBER: f"\n[{message}]\n"}


DIALECT = Dialect(
    NAME,
    (),
    request=WHOLE,
    answer=WHOLE,
    error=error_body,
    unreadable=unreadable,
    unclear=unclear,
    steers=steers,
    lists=True,
)


def routes_of(stated: Iterable[Stated]) -> tuple[Route, ...]:
    """The routes of a policy."""
    return tuple(map(_route, stated))


def _route(stated: Stated) -> Route:
    method, _, path = stated.match.partition(" ")
    form = next((each for each in stated.answers if each != "json"), None)
    key = stated.model.removeprefix("$.") if stated.model and stated.model.startswith("$.") else None
    return Route(
        *(stated.name, method, path, stated.action, NAME),
        has_body=method == "POST",
        model_key=key,
        stream=_stream(form, stated.streams, _texts(stated)) if form else None,
        asks="never" if not form else "either" if "json" in stated.answers else "always",
        reads=READS,
        answers=MappingProxyType({"application/json": JSON}),
        model=None if key else stated.model,
        table=_table(stated),
    )


def _texts(stated: Stated) -> frozenset[str]:
    """The names of the members that a route calls text."""
    named = ([step.key for step in steps(path) if isinstance(step.key, str)] for path in stated.text)
    return frozenset(keys[-1] for keys in named if keys)


def _table(stated: Stated) -> Dialect:
    prose = _texts(stated) | ({MEMBER} if "text" in stated.answers else frozenset())
    fields = replace(WHOLE, prose=prose)
    return replace(DIALECT, request=fields, answer=fields)


def _stream(form: str, told: str, texts: frozenset[str]) -> Stream:
    if form == "text":
        return Stream(MEDIA[form], {"": Event(alike=True)}, _sentence)
    return Stream(MEDIA[form], {"": _EVENTS[told](texts)}, failure, done="[DONE]" if form == "sse" else "")


_EVENTS: dict[str, Callable[[frozenset[str]], Event]] = {
    "either": lambda _texts: Event(either=True, alike=True),
    "pieces": lambda _texts: Event(alike=True),
    "cumulative": lambda texts: Event(grows=texts, either=True, alike=True),
    "whole": lambda _texts: Event(whole=True),
}
"""How the events of a stream hang together, by the policy's word for it."""


# -- what a policy may not say --------------------------------------------------------------------------------------

_PLACES = {"{model}": "model", "{version}": "1", "{id}": "1"}


def faults(policy: Policy, known: Iterable[Route]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """(place in the policy, sentence) for each route that would stand in the way of a known one, or have its name."""
    known = tuple(known)
    table, names = RouteTable(known), {route.name for route in known}
    for at, route in enumerate(routes_of(policy.routes)):
        if route.name in names:
            yield ("routes", at, "name"), f"`{route.name}` is the name of a known route"
        own = RouteTable([route])
        hidden = next((each for each in known if _meets(own, each)), None)
        found = table.find(route.method, _sample(route.path))
        known_one = found.route if isinstance(found, Match) else hidden
        if known_one is not None:
            yield (
                ("routes", at, "match"),
                f"is known already: it is `{known_one.method} {known_one.path}` of the dialect `{known_one.dialect}`",
            )


def _meets(own: RouteTable, route: Route) -> bool:
    return isinstance(own.find(route.method, _sample(route.path)), Match)


def _sample(path: str) -> str:
    """A path that a route's means."""
    return re.sub(r"\{\w+\}", lambda place: _PLACES[place[0]], path)

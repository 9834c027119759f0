"""Routes: exactly which method and raw path means which action, in which dialect; everything else is unknown.

Paths are compared byte for byte as they came (never decoded, never normalised): a server that is lenient about
paths must not be reached by a path that we did not mean.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@-]{0,127}(/[A-Za-z0-9][A-Za-z0-9._:@-]{0,127})?\Z")


@dataclass(frozen=True, slots=True)
class Route:
    """One entry of a dialect's route table.

    `path` ends with `/{model}` where the model's name is its last part. `streams` says how a streamed answer of
    this route is read (the dialect's channel table), or None where the route knows no stream.
    """

    name: str
    method: str
    path: str
    action: str
    dialect: str
    has_body: bool = True
    model_key: str | None = "model"
    streams: str | None = None


@dataclass(frozen=True, slots=True)
class Match:
    route: Route
    model: str | None


class RouteTable:
    """The routes of all dialects, looked up by raw path."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._exact: dict[str, dict[str, Route]] = {}
        self._prefixes: list[Route] = []
        for route in routes:
            if route.path.endswith("/{model}"):
                self._prefixes.append(route)
            else:
                self._exact.setdefault(route.path, {})[route.method] = route

    def find(self, method: str, path: str) -> Match | bool | None:
        """The match; None where no route has this path; False where one has, but not with this method."""
        exact = self._exact.get(path)
        if exact is not None:
            route = exact.get(method)
            return Match(route, None) if route else False
        for route in self._prefixes:
            prefix = route.path.removesuffix("{model}")
            if path.startswith(prefix) and _MODEL.match(path[len(prefix) :]):
                return Match(route, path[len(prefix) :]) if route.method == method else False
        return None

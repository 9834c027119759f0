"""Routes: exactly which method and raw path means which action, in which dialect; everything else is unknown.

Paths are compared byte for byte as they came (never decoded, never normalised): a server that is lenient about
paths must not be reached by a path that we did not mean. A query is part of the path: one that no route has is unknown.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from phigate.dialect.codecs import JSON

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from phigate.dialect.codecs import Codec
    from phigate.dialect.events import Stream
    from phigate.dialect.table import Dialect
    from phigate.dialect.talk import Talk

_PLACE = re.compile(r"\{(model|version|id)\}")
_FORMS = {
    "model": r"(?P<model>[A-Za-z0-9][A-Za-z0-9._:@-]{0,127}(?:/[A-Za-z0-9][A-Za-z0-9._:@-]{0,127})?)",
    "version": r"[0-9]{1,9}",
    "id": r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}",
}
_IN_A_QUERY = r"(?P<model>[A-Za-z0-9](?:[A-Za-z0-9._:/@-]|%3[Aa]|%2[Ff]|%40){0,127})"
"""A model's name in a query: clients write `:`, `/` and `@` encoded there (RFC 3986, 3.4), or not."""
_JSON: Mapping[str, Codec] = MappingProxyType({"application/json": JSON})
_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Route:
    """One entry of a dialect's route table.

    `path` may have `{model}` where the model's name stands (then nothing in the body names it), `{version}` and `{id}`;
    `{model}` may also be the last value of its query. `nameless` says that the body may leave the model's name out.
    `reads` and `answers` are the media types of a request's and an answer's body and how they are read. `stream` is how
    a streamed answer is read, None where the route knows none; `asks` says when a request wants one: `stream` (the
    member is true), `unless` (the member is not false), `always`. Of routes with one path, the first counts whose
    `when` is a member of the body. `sets` are members that every request goes on with, whatever the caller wrote there;
    `omits` are those it goes on without: what they ask for never goes out. `model` is the policy's model that is always
    meant. `table` is the route's own table, where its dialect's is not all there is to say. `done` are the statuses,
    beside 200, of an answer that says only that something was done, and has no body. `talk` makes it a WebSocket: what
    the caller may say there; `stream` is how the answers are read. `members` are all that a body may have, and what
    each may hold (managing.py); None where the table's own questions are all. `beside` are the members that name models
    which the request makes use of beside the one that it means.
    """

    name: str
    method: str
    path: str
    action: str
    dialect: str
    has_body: bool = True
    model_key: str | None = "model"
    stream: Stream | None = None
    asks: str = "stream"
    when: str | None = None
    talk: Talk | None = None
    reads: Mapping[str, Codec] = field(default=_JSON)
    answers: Mapping[str, Codec] = field(default=_JSON)
    sets: Mapping[str, Any] = field(default=_NOTHING)
    omits: frozenset[str] = frozenset()
    model: str | None = None
    table: Dialect | None = None
    done: frozenset[int] = frozenset()
    nameless: bool = False
    members: Mapping[str, Callable[[Any], bool]] | None = None
    beside: tuple[str, ...] = ()

    @property
    def names_model(self) -> bool:
        """Whether path or body say which model is meant."""
        return "{model}" in self.path or (self.model_key is not None and not self.nameless)


@dataclass(frozen=True, slots=True)
class Match:
    """The routes that a method and path may mean, told apart by their bodies, and the model named in the path."""

    routes: tuple[Route, ...]
    model: str | None = None

    @property
    def route(self) -> Route:
        return self.routes[0]


class RouteTable:
    """The routes of all dialects, looked up by raw path."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._exact: dict[str, dict[str, tuple[Route, ...]]] = {}
        self._patterns: dict[str, tuple[re.Pattern[str], dict[str, tuple[Route, ...]]]] = {}
        for route in routes:
            if _PLACE.search(route.path):
                by_method = self._patterns.setdefault(route.path, (_pattern(route.path), {}))[1]
            else:
                by_method = self._exact.setdefault(route.path, {})
            by_method[route.method] = (*by_method.get(route.method, ()), route)
        ordered = sorted(self._patterns.items(), key=lambda item: -len(_PLACE.sub("", item[0])))
        self._patterns = dict(ordered)  # `/models/{model}/config` says more than `/models/{model}`

    def find(self, method: str, path: str) -> Match | bool | None:
        """The match; None where no route has this path; False where one has, but not with this method."""
        exact = self._exact.get(path)
        if exact is not None:
            routes = exact.get(method)
            return Match(routes) if routes else False
        known: bool | None = None
        for pattern, by_method in self._patterns.values():
            if found := pattern.match(path):
                if routes := by_method.get(method):
                    model = found.groupdict().get("model")
                    return Match(routes, unquote(model) if model else None)
                known = False
        return known


def _pattern(path: str) -> re.Pattern[str]:
    """A route's path as an expression: a model's name has a `/` in it only where nothing follows."""
    parts = _PLACE.split(path)
    fixed, places = parts[::2], parts[1::2]
    made, in_query = re.escape(fixed[0]), False
    for before, place, after in zip(fixed, places, fixed[1:], strict=False):
        in_query = in_query or "?" in before
        form = _IN_A_QUERY if in_query and place == "model" else _FORMS[place]
        if place == "model" and after:
            form = form.replace("(?:/[A-Za-z0-9][A-Za-z0-9._:@-]{0,127})?", "")
        if after.startswith(":"):  # `/v1/models/NAME:predict`
            form = form.replace("._:@-", "._@-")
        made += form + re.escape(after)
    return re.compile(made + r"\Z")

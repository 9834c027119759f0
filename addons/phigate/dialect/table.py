"""What a dialect is: routes, where text comes in and goes out, and how an error looks. A table; nothing here acts."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Mapping

    from phigate.dialect.routes import Route
    from phigate.dialect.tree import Fields


def _nothing(_request: Any) -> bool:
    return False


def _no_members(_request: Any) -> tuple[str, ...]:
    return ()


def _no_fields(_request: Any) -> list[tuple[bytes, bytes]]:
    return []


@dataclass(frozen=True, slots=True)
class Dialect:
    """One protocol.

    `request` and `answer` say which keys of a message are not plain text. `error` makes the body of an error that its
    clients show, from (status, code, message, further members). `unreadable` tells whether a request holds or asks for
    content that is no text, `unclear` whether an answer or an event of one holds some; `stored` whether a request
    speaks of what the server kept of other exchanges; `steers` which of its members decide what the model writes, so
    that an identifier can be asked out of it in pieces.
    `usage` are the paths to the counts of tokens that came in and went out, from the top of an answer or from the
    members of an event that are `frames` of one. `credential` is the field in which the
    model's own credential is shown to it, `head` what else goes upstream with every request, `heads` the fields that
    say again what a request's tree says, `lists` whether an answer may be a list. `folds` says that a server may read
    members' names in any case (Go's do): lower case is read alike by all. `passes` are fields of a request's and of an
    answer's head that go on, where they are plain words of this form; those of them that name what the server keeps for
    one caller are `owned`, and so are then the ids of a stream's events: no other caller can use them.
    `part_of` is the protocol that a policy's `speaks` names, where several tables describe one. `bytes_in` are members
    of a request that hold bytes, which nobody is shown. `adapters` are members of a request, or of its `parameters`,
    that make another model of the one that is named: no rule speaks of those, so none is known.
    """

    name: str
    routes: tuple[Route, ...]
    request: Fields
    answer: Fields
    error: Callable[[int, str, str, Mapping[str, Any] | None], bytes]
    unreadable: Callable[[Any], bool] = _nothing
    stored: Callable[[Any], bool] = _nothing
    steers: Callable[[Any], tuple[str, ...]] = _no_members
    unclear: Callable[[Any], bool] = _nothing
    usage: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
    frames: tuple[str, ...] = ()
    credential: bytes = b"authorization"
    head: tuple[tuple[bytes, bytes], ...] = ()
    lists: bool = False
    folds: bool = False
    heads: Callable[[Any], list[tuple[bytes, bytes]]] = _no_fields
    passes: Mapping[bytes, re.Pattern[bytes]] = field(default_factory=lambda: MappingProxyType({}))
    owned: frozenset[bytes] = frozenset()
    part_of: str = ""
    bytes_in: frozenset[str] = frozenset()
    adapters: frozenset[str] = frozenset()

    @property
    def protocol(self) -> str:
        """The name by which a policy calls it."""
        return self.part_of or self.name

    @property
    def shown(self) -> Fields:
        """A request as bystanders see it: the model's name is the caller's own words too."""
        request = self.request.without_constant("model")
        return replace(request, drop=request.drop | self.bytes_in)

    def adapts(self, request: Any) -> bool:
        """Whether a request asks for another model than the one that it names."""
        told = (request, request.get("parameters")) if isinstance(request, dict) else ()
        return any(isinstance(each, dict) and any(each.get(key) for key in self.adapters) for each in told)

    def used(self, answer: Any) -> dict[str, int]:
        """Token counts of an answer or an event, `{"input": n, "output": n}`; empty where it carries none."""
        inner = (_at(answer, (frame,)) for frame in self.frames)
        found: dict[str, int] = {}
        for told in (answer, *inner):
            counts = {name: _at(told, path) for name, path in zip(("input", "output"), self.usage, strict=True)}
            found |= {
                name: count for name, count in counts.items() if isinstance(count, int) and not isinstance(count, bool)
            }
        return found


def _at(node: Any, path: tuple[str, ...]) -> Any:
    for step in path:
        if not isinstance(node, dict):
            return None
        node = node.get(step)
    return node if path else None

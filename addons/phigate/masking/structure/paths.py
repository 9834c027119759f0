"""The policy's `fields` at work: an operator's word on what stands where in a request's or an answer's JSON.

Rules of this file:
- At one place hide beats scan beats keep; a longer way down has no say over a shorter one but where it says more: what
  lies below a hidden place is hidden, whatever else is said about it.
- A text that holds JSON is walked into, as tool calls and structured answers are texts.
- `keep` is for the caller. Bystanders (`kept`) are shown what scanning makes of it: records, shadows and tickets are
  masked by `capture.mask` whatever an operator keeps.
- All paths are walked at once, by states that are made when they are first needed: a member nobody names costs one
  look-up, a branch nobody asks about is not entered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from phigate.dialect import tree
from phigate.masking.structure.treatment import KEEP, SCAN
from phigate.policy.paths import steps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from phigate.policy.paths import Step
    from phigate.policy.schema import FieldRule

MOST_STATES = 2000
"""States that are kept; a document that makes more starts them anew."""


class Hit(NamedTuple):
    """What stands at a place, and what is done with it. `inside`: the way there leads into texts that hold JSON."""

    way: tuple[str | int, ...]
    treatment: str
    value: Any


class _State:
    """How far each path has come at one place of a document."""

    __slots__ = ("items", "named", "other", "other_item", "positions", "verdict")

    def __init__(self, positions: frozenset[tuple[int, int]], verdict: str | None) -> None:
        self.positions = positions
        self.verdict = verdict
        self.named: dict[str, _State | None] = {}
        self.items: dict[int, _State | None] = {}
        self.other: _State | None = None
        self.other_item: _State | None = None


def rules_for(rules: Iterable[FieldRule], target: str | None, route: str, side: str) -> Paths | None:
    """The paths that hold for a model (the policy's name), a route (`POST /v1/...`) and a side; None if none do."""
    wanted = [
        rule
        for rule in rules
        if (not rule.models or "*" in rule.models or target in rule.models)
        and (not rule.routes or route in rule.routes)
        and rule.in_ in ("both", side)
    ]
    said = [(path, entity) for rule in wanted for path, entity in rule.hide.items()]
    said += [(path, SCAN) for rule in wanted for path in rule.scan]
    said += [(path, KEEP) for rule in wanted for path in rule.keep]
    return Paths(said) if said else None


def unknown_routes(rules: Iterable[FieldRule], known: Iterable[str]) -> list[str]:
    """Routes that rules name and nobody has: what they would hide would stay."""
    return sorted({route for rule in rules for route in rule.routes} - set(known))


class Paths:
    """Paths and their treatments, compiled together; shared by threads, as what two of them make is the same."""

    def __init__(self, said: Sequence[tuple[str, str]]) -> None:
        """From (path, treatment): an entity, `scan` or `keep`; raises BadPathError."""
        self._paths: list[tuple[Step, ...]] = [steps(path) for path, _ in said]
        self._treatments = [treatment for _, treatment in said]
        self._names = {step.key for path in self._paths for step in path if isinstance(step.key, str)}
        self._indices = {step.key for path in self._paths for step in path if isinstance(step.key, int)}
        self._states: dict[frozenset[tuple[int, int]], _State] = {}
        self._root: _State | None = None

    def apply(
        self,
        node: Any,
        rest: Callable[[Any], Any],
        render: Callable[[str], str],
        hide: Callable[[str, str], str],
        *,
        kept: Callable[[str], str] | None,
    ) -> Any:
        """A tree with what the paths name treated, and everything else as `rest` rewrites it.

        `kept` renders the texts of what is kept, where it is scanned all the same (for bystanders). Raises TreeError
        when nested too deep.
        """
        hits: list[Hit] = []
        bare = self._taken(node, self._start(), (), hits, 0)
        if not hits:
            return rest(node)
        made = rest(bare)
        for hit in hits:
            made = _put(made, hit.way, _treated(hit, render, hide, kept))
        return made

    def hits(self, node: Any) -> list[Hit]:
        """What the paths name in a tree."""
        found: list[Hit] = []
        self._taken(node, self._start(), (), found, 0)
        return found

    def treats(self, *way: str | int) -> bool:
        """Whether a place is named, or one that it lies in."""
        return any(state.verdict is not None for state in self._along(way))

    def speaks_of(self, *way: str | int) -> bool:
        """Whether a place is named, or one that it lies in or that may lie in it: a text there is held until whole."""
        states = list(self._along(way))
        return len(states) > len(way) or any(state.verdict is not None for state in states)

    def _along(self, way: Iterable[str | int]) -> Iterator[_State]:
        """The states on the way to a place, as far as a path leads."""
        state: _State | None = self._start()
        yield self._start()
        for key in way:
            state = self._step(state, key) if state else None
            if state is None:
                return
            yield state

    # -- states -----------------------------------------------------------------------------------------------------

    def _start(self) -> _State:
        if self._root is None:
            self._root = _State(frozenset((path, 0) for path in range(len(self._paths))), None)
        return self._root

    def _state(self, positions: frozenset[tuple[int, int]], ended: frozenset[int]) -> _State | None:
        if not positions and not ended:
            return None
        key = positions | {(path, len(self._paths[path])) for path in ended}
        found = self._states.get(key)
        if found is None:
            if len(self._states) >= MOST_STATES:
                self._states, self._root = {}, None
            found = self._states[key] = _State(positions, _strictest(self._treatments[path] for path in ended))
        return found

    def _step(self, state: _State, key: str | int) -> _State | None:
        """The state one step down; None where no path leads on."""
        if isinstance(key, str):
            if key not in self._names:
                if state.other is None:
                    state.other = self._made(state, None, item=False) or _DEAD
                return None if state.other is _DEAD else state.other
            if key not in state.named:
                state.named[key] = self._made(state, key, item=False)
            return state.named[key]
        if key not in self._indices:
            if state.other_item is None:
                state.other_item = self._made(state, None, item=True) or _DEAD
            return None if state.other_item is _DEAD else state.other_item
        if key not in state.items:
            state.items[key] = self._made(state, key, item=True)
        return state.items[key]

    def _made(self, state: _State, key: str | int | None, *, item: bool) -> _State | None:
        positions, ended = set(), set()
        for path, at in state.positions:
            step = self._paths[path][at]
            if step.deep:
                positions.add((path, at))
            if step.key is None or (step.key == key and isinstance(step.key, int) is item):
                if at + 1 == len(self._paths[path]):
                    ended.add(path)
                else:
                    positions.add((path, at + 1))
        return self._state(frozenset(positions), frozenset(ended))

    # -- walking ----------------------------------------------------------------------------------------------------

    def _taken(self, node: Any, state: _State, way: tuple[str | int, ...], hits: list[Hit], depth: int) -> Any:
        """A tree without what the paths name: nothing stands in its place."""
        if depth > tree.MAX_DEPTH:
            raise tree.TreeError("nested too deep")
        if isinstance(node, str):
            return self._within(node, state, way, hits, depth) if node.lstrip()[:1] in ("{", "[") else node
        listed = isinstance(node, list)
        if not listed and not isinstance(node, dict):
            return node
        names: set[Any] = self._indices if listed else self._names
        seen: dict[Any, _State | None] = state.items if listed else state.named
        other = self._step(state, _ANY_ITEM if listed else _ANY_NAME)
        changed: dict[Any, Any] = {}
        pairs = enumerate(node) if listed else node.items()
        for key, value in pairs:
            inner = (seen[key] if key in seen else self._step(state, key)) if key in names else other
            if inner is None:
                continue
            kind = type(value)
            leaf = kind is not dict and kind is not list and (kind is not str or value[:1] not in _OPENS)
            if leaf and inner.verdict is None:
                continue
            made = self._treat(value, inner, (*way, key), hits, depth)
            if made is not value:
                changed[key] = made
        if not changed:
            return node
        return [changed.get(at, value) for at, value in enumerate(node)] if listed else {**node, **changed}

    def _treat(self, value: Any, state: _State, way: tuple[str | int, ...], hits: list[Hit], depth: int) -> Any:
        verdict = state.verdict
        if verdict is None or value is None:
            return self._taken(value, state, way, hits, depth + 1) if state.positions else value
        if verdict not in (KEEP, SCAN) or not state.positions or not isinstance(value, dict | list | str):
            hits.append(Hit(way, verdict, value))
            return None
        inner: list[Hit] = []  # kept or scanned, and something stricter below
        bare = self._taken(value, state, way, inner, depth + 1)
        hits.append(Hit(way, verdict, bare))
        hits += inner
        return None

    def _within(self, text: str, state: _State, way: tuple[str | int, ...], hits: list[Hit], depth: int) -> Any:
        try:
            node = orjson.loads(text)
        except ValueError:
            return text
        if tree.too_deep(node):
            return text
        found: list[Hit] = []
        bare = self._taken(node, state, (*way, ""), found, depth + 1)
        if not found:
            return text
        hits += found
        return orjson.dumps(bare).decode()


_OPENS = frozenset("{[ \t\r\n")
"""How a text begins that may hold JSON."""
_ANY_NAME, _ANY_ITEM = "", -1
"""A name and a place that no path has."""
_DEAD = _State(frozenset(), None)


def _strictest(treatments: Iterable[str]) -> str | None:
    """An entity before `scan` before `keep`; of two entities the first by name, so that the order does not matter."""
    found = sorted(set(treatments), key=lambda each: (each == KEEP, each == SCAN, each))
    return found[0] if found else None


def _treated(
    hit: Hit, render: Callable[[str], str], hide: Callable[[str, str], str], kept: Callable[[str], str] | None
) -> Any:
    key = next((step for step in reversed(hit.way) if isinstance(step, str) and step), "")
    if hit.treatment == KEEP:
        return hit.value if kept is None else tree.values(hit.value, kept, key)
    if hit.treatment == SCAN:
        return tree.values(hit.value, render, key)
    return _hidden(hit.value, hit.treatment, render, hide)


def _hidden(
    node: Any, entity: str, render: Callable[[str], str], hide: Callable[[str, str], str], depth: int = 0
) -> Any:
    """Every text and number of a tree, hidden; the names of its members are text."""
    if depth > tree.MAX_DEPTH:
        raise tree.TreeError("nested too deep")
    if isinstance(node, dict):
        return {render(key): _hidden(value, entity, render, hide, depth + 1) for key, value in node.items()}
    if isinstance(node, list):
        return [_hidden(item, entity, render, hide, depth + 1) for item in node]
    if isinstance(node, str):
        return hide(entity, node) if node and not node.isspace() else node
    if node is None or isinstance(node, bool):
        return node
    text = orjson.dumps(node).decode()
    shown = hide(entity, text)
    return node if shown == text else shown


def _put(node: Any, way: tuple[str | int, ...], value: Any) -> Any:
    """The tree with a value back in its place; unchanged where the place is gone (a member that is left out)."""
    if not way:
        return value
    key, inner = way[0], way[1:]
    if isinstance(node, dict):
        if key in node:
            node[key] = _put(node[key], inner, value)
    elif isinstance(node, list) and isinstance(key, int):
        if key < len(node):
            node[key] = _put(node[key], inner, value)
    elif isinstance(node, str) and key == "":
        try:
            whole = orjson.loads(node)
        except ValueError:
            return node
        return orjson.dumps(_put(whole, inner, value)).decode()
    return node

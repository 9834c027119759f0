"""Bounded patterns that know their own beginnings.

Rules of this file:
- A pattern is RE2 syntax, and what it can match has a longest length: no open repetition.
- Its identifier is the one group `(?P<id>...)`; what stands around it is context.
- Of every pattern its prefix closure is derived: everything that could still grow into a match. A text whose end is
  in no closure has nothing undecided, which is what makes masking a stream equal to masking the whole.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, NoReturn

import re2  # type: ignore[import-untyped]  # google-re2 ships no types

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

type Match = Callable[[bytes, int, int], list[tuple[int, int]]]
type Spot = Callable[[bytes, int, int], tuple[int, int]]
type Node = Atom | Seq | Alt | Repeat | Group

SINGLE, SMALL, LARGE = 8 << 20, 64 << 20, 192 << 20
"""Bytes an automaton may grow to before RE2 starts over (it stays linear, and becomes slower); measured on clinical
notes a few MB are used. The closure has the largest states by far."""
COUNTED = 4
"""Repetitions up to so many are counted in a search, so that what cannot match ends soon."""
FIRST = 112
"""Characters by which the patterns that may match at a place are told apart."""
SEEN = 4 * FIRST + 4
"""As many bytes, and a character more for what is said of a word's edge."""
NEAR = 320
"""Characters before a text's end in which all but the widest patterns begin that are in progress there."""
NOWHERE = (-1, -1)
ASCII = bytes(range(0x80))
NOT_ASCII = frozenset(range(0x80, 0x100))
WORD = frozenset(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz")
FOLDED = "\u017f\u212a"
"""The two characters outside ASCII that fold into it (long s, Kelvin sign): RE2 matches them where case is ignored."""
QUANTIFIER = re.compile(r"\?|\{(\d+)(?:,(\d+))?\}")
ATOM = re.compile(
    r"\[\^?\]?(?:\[:\w+:\]|\\.|[^\]\\])*\]|\\[pP]\{\^?\w+\}|\\[pP]\w|\\x\{[0-9a-fA-F]+\}|\\x[0-9a-fA-F]{2}|\\.|[^()|?*+{}\\]",
    re.DOTALL,
)
HEAD = re.compile(r"\((\?P<id>|\?[im]*:)")
ASSERTIONS = frozenset({r"\b", r"\B", "^", "$"})


ESCAPE = r"\\[nrtbf]"
BACKSLASH, ESCAPED = 0x5C, frozenset({b"n", b"r", b"t", b"b", b"f"})


class PatternError(ValueError):
    """A pattern that this room does not run; the message names the fault and the place, in characters."""


@dataclass(frozen=True, slots=True)
class Atom:
    """One character or one assertion."""

    source: str
    flags: str = ""

    @property
    def size(self) -> int:
        return 0 if self.source in ASSERTIONS else 1


EDGE = Atom(r"\b")


@dataclass(frozen=True, slots=True)
class _Sized:
    """A tree that knows the most characters of its matches: that is asked at every level of every tree."""

    size: int = field(init=False, compare=False, repr=False)

    def known(self, size: int) -> None:
        object.__setattr__(self, "size", size)


@dataclass(frozen=True, slots=True)
class Seq(_Sized):
    parts: tuple[Node, ...]

    def __post_init__(self) -> None:
        self.known(sum(part.size for part in self.parts))


@dataclass(frozen=True, slots=True)
class Alt(_Sized):
    branches: tuple[Node, ...]

    def __post_init__(self) -> None:
        self.known(max(branch.size for branch in self.branches))


@dataclass(frozen=True, slots=True)
class Repeat(_Sized):
    body: Node
    least: int
    most: int

    def __post_init__(self) -> None:
        self.known(self.most * self.body.size)


@dataclass(frozen=True, slots=True)
class Group(_Sized):
    """`(?:`, `(?i:`, `(?m:` or `(?P<id>` around a body."""

    head: str
    body: Node

    def __post_init__(self) -> None:
        self.known(self.body.size)


class _Reader:
    """Recursive descent over one pattern's text."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0

    def fault(self, why: str) -> NoReturn:
        raise PatternError(f"{why} at {self.at}")

    def alternation(self, flags: str) -> Node:
        branches = [self.sequence(flags)]
        while self.text.startswith("|", self.at):
            self.at += 1
            branches.append(self.sequence(flags))
        return branches[0] if len(branches) == 1 else Alt(tuple(branches))

    def sequence(self, flags: str) -> Node:
        parts: list[Node] = []
        while self.at < len(self.text) and self.text[self.at] not in "|)":
            parts.append(self.quantified(self.single(flags)))
        return parts[0] if len(parts) == 1 else Seq(tuple(parts))

    def single(self, flags: str) -> Node:
        if self.text[self.at] == "(":
            return self.group(flags)
        found = ATOM.match(self.text, self.at)
        if not found:
            self.fault("not understood")
        self.at = found.end()
        return Atom(found[0], flags)

    def group(self, flags: str) -> Node:
        head = HEAD.match(self.text, self.at)
        if not head:
            self.fault("a group must be `(?:`, `(?i:`, `(?m:` or `(?P<id>`")
        self.at = head.end()
        body = self.alternation(flags + ("i" if "i" in head[1] and "P" not in head[1] else ""))
        if not self.text.startswith(")", self.at):
            self.fault("a group is not closed")
        self.at += 1
        return Group(head[0], body)

    def quantified(self, body: Node) -> Node:
        if self.text[self.at : self.at + 1] in ("*", "+"):
            self.fault("an open repetition")
        found = QUANTIFIER.match(self.text, self.at)
        if not found:
            return body
        self.at = found.end()
        if self.text[self.at : self.at + 1] in ("?", "*", "+", "{"):
            self.fault("a quantifier on a quantifier")
        least = int(found[1] or 0)
        return Repeat(body, least, int(found[2] or found[1] or 1))


def opened(pattern: str) -> str:
    r"""A pattern that begins at a word's edge also begins after a written-out escape.

    Models write JSON into their texts, where a line ends with the two characters `\n`: of `\nMRN 7` no word begins
    with the M, as `\b` sees it.
    """
    return rf"(?:\b|{ESCAPE}){pattern[2:]}" if pattern.startswith(r"\b") else pattern


def parse(text: str) -> Node:
    """The tree of a pattern; raises PatternError where it is open, nests captures or looks around."""
    reader = _Reader(text)
    node = reader.alternation("")
    if reader.at < len(text):
        reader.fault("a `)` too many")
    return node


OPENED = parse(opened(r"\b"))


def source(node: Node, *, ends: bool = False, exact: bool = False) -> str:
    """RE2 text of a tree, loosened, without its capture: it matches wherever the pattern does, and starts there.

    A repetition of many is open here: counting it would multiply the automaton's states. And it is reluctant, so that
    a search ends as soon as something matches. With `ends` each character may be the text's
    end instead (and once one is, all that follow are). With `exact` nothing is loosened.
    """
    match node:
        case Atom(text):
            return rf"(?:{text}|\z)" if ends else text
        case Seq(parts):
            return "".join(source(part, ends=ends, exact=exact) for part in parts)
        case Alt(branches):
            return _choice(source(branch, ends=ends, exact=exact) for branch in branches)
        case Repeat(body, least, most):
            count = f"{{{least},{most}}}" if exact else _loose(least, most, COUNTED * (not ends))
            return f"(?:{source(body, ends=ends, exact=exact)}){count}"
        case Group(head, body):
            return f"{_open(head)}{source(body, ends=ends, exact=exact)})"


def prefixes(node: Node) -> str:
    """RE2 text of everything that begins like a match of `node` and ends with the text: from empty to whole.

    Of what is empty all patterns are a beginning. That is said once, by the last choice, and not by each pattern's
    first character: else the engine would go through all of all patterns at every end of a chunk.
    """
    return _choice([*_begun((node,)), rf"{ESCAPE}?", ""]) + r"\z"


def _begun(parts: tuple[Node, ...]) -> list[str]:
    """Choices of RE2 text for all beginnings of a sequence that have a character at least."""
    if not parts:
        return []
    first, rest = parts[0], parts[1:]
    if first == OPENED:
        return [source(OPENED) + _choice(_begun(rest))]
    behind = "".join(source(part, ends=True) for part in rest)
    match first:
        case Atom(text):
            return [text + _choice(_begun(rest))] if text in ASSERTIONS else [text + behind]
        case Seq(inner):
            return _begun((*inner, *rest))
        case Alt(branches):
            choices = [each for branch in branches for each in _begun((branch,))]
        case Repeat(body, least, most):
            choices = _begun((body, Repeat(body, max(least - 1, 0), most - 1)) if most > 1 else (body,))
        case Group(head, body):
            choices = [f"{_open(head)}{each})" for each in _begun((body,))]
    skipped = [_empty(first) + _choice(_begun(rest))] if first_bytes(first)[1] else []
    return [_choice(choices) + behind, *skipped] if choices else skipped


def _empty(node: Node) -> str:
    """RE2 text of the ways in which a tree that can be empty is: assertions at most."""
    match node:
        case Seq(parts):
            return "".join(map(_empty, parts))
        case Alt(branches):
            return _choice(_empty(branch) for branch in branches if first_bytes(branch)[1])
        case Group(_, body):
            return _empty(body)
        case Repeat(_, 0, _):
            return ""
        case Repeat(body, _, _):
            return _empty(body)
        case Atom(text):
            return text


def _loose(least: int, most: int, counted: int) -> str:
    return f"{{{least},}}?" if most > max(least + 1, counted) else f"{{{least},{most}}}?"


def beginning(node: Node, most: int) -> Node:
    """A tree for the first characters of every match, `most` or fewer of them."""
    return _beginning(node, most)[0]


def _beginning(node: Node, most: int) -> tuple[Node, bool]:
    """The beginning, and whether that is all."""
    if longest(node) <= most:
        return node, True
    match node:
        case Seq(parts):
            taken: list[Node] = []
            for part in parts:
                begun, whole = _beginning(part, most)
                taken.append(begun)
                most -= longest(begun)
                if not whole:
                    break
            return Seq(tuple(taken)), False
        case Alt(branches):
            return Alt(tuple(_beginning(branch, most)[0] for branch in branches)), False
        case Group(head, body):
            return Group(head, _beginning(body, most)[0]), False
        case Repeat(body, least, _):
            fit = most // longest(body)
            return Repeat(body, min(least, fit), fit), False
        case _:
            return Seq(()), False


def longest(node: Node) -> int:
    """The most characters a match can have."""
    return node.size


def widest(node: Node) -> int:
    """The most bytes a match can have."""
    match node:
        case Atom(text, flags):
            return 0 if text in ASSERTIONS else 1 if _bytes_of(text, flags).isdisjoint(NOT_ASCII) else 4
        case Seq(parts):
            return sum(map(widest, parts))
        case Alt(branches):
            return max(map(widest, branches))
        case Repeat(body, _, most):
            return most * widest(body)
        case Group(_, body):
            return widest(body)


def first_bytes(node: Node) -> tuple[frozenset[int], bool]:
    """The bytes a match can start with (at least these), and whether it can be empty."""
    match node:
        case Atom(text, flags):
            return (frozenset(), True) if text in ASSERTIONS else (_bytes_of(text, flags), False)
        case Seq(parts):
            return _first_of(parts)
        case Alt(branches):
            found = [first_bytes(branch) for branch in branches]
            return frozenset[int]().union(*(one for one, _ in found)), any(empty for _, empty in found)
        case Repeat(body, least, _):
            firsts, empty = first_bytes(body)
            return firsts, empty or least == 0
        case Group(_, body):
            return first_bytes(body)


def _first_of(parts: tuple[Node, ...]) -> tuple[frozenset[int], bool]:
    firsts: frozenset[int] = frozenset()
    for part in parts:
        more, empty = first_bytes(part)
        firsts |= more
        if not empty:
            return firsts, False
    return firsts, True


@lru_cache(maxsize=4096)
def _bytes_of(text: str, flags: str) -> frozenset[int]:
    regex = re2.compile(f"(?i:{text})" if flags else text)
    inside = frozenset(b"".join(regex.findall(ASCII)))
    wide = not text.isascii() or text.startswith(("[^", r"\p", r"\P", r"\x{", ".")) or r"\x{" in text or r"\p" in text
    return inside | NOT_ASCII if wide or any(regex.fullmatch(each.encode()) for each in FOLDED) else inside


def shared(nodes: Iterable[Node]) -> Node:
    """One tree for all, in which what they have in common stands once: a smaller automaton.

    That is the edge at which most begin, so that within a word the engine follows none of them, and common endings
    (`: 70418` after many labels).
    """
    opened: list[tuple[Node, ...]] = []
    others: list[tuple[Node, ...]] = []
    for node in nodes:
        parts = _parts(node)
        (opened.append(parts[1:]) if parts[0] == OPENED else others.append(parts))
    edged = [(OPENED, Group("(?:", _folded(opened)))] if opened else []
    return _folded([*edged, *others])


def _folded(sequences: list[tuple[Node, ...]]) -> Node:
    endings: dict[Node | None, list[tuple[Node, ...]]] = {}
    for parts in sequences:
        endings.setdefault(parts[-1] if parts else None, []).append(parts[:-1])
    branches = [_ended(last, starts) for last, starts in endings.items()]
    return branches[0] if len(branches) == 1 else Alt(tuple(branches))


def _ended(last: Node | None, starts: list[tuple[Node, ...]]) -> Node:
    if last is None:
        return Seq(())
    if len(starts) == 1:
        return Seq((*starts[0], last))
    return Seq((Group("(?:", _folded(starts)), last))


def joined(nodes: Iterable[Node]) -> Any:
    """All patterns as one, for finding where the next match of any starts.

    The shorter stand before the longer: what matches cuts off what could still match only behind it.
    """
    return _compile(source(shared(sorted(nodes, key=longest))))


def closure(nodes: Iterable[Node]) -> Any:
    """What may still be in progress at the end of a text, for finding the earliest place where something is."""
    return _compile(prefixes(shared(nodes)), LARGE)


def pending(nodes: Iterable[Node]) -> Callable[[bytes, int], int]:
    """`(text, at) -> place`: the first from `at` on where a match may be in progress as the text ends, else its end.

    Asked of each place where a pattern can start, one after the other, and of none by a search: that finds a match's
    start by going backwards from its end, which here is anywhere in all patterns at once. Far from the end only the
    few widest patterns (a URL) can still be in progress, and for them a search does.
    """
    trees = list(nodes)
    begun = matching(closure(trees))
    edged = frozenset[int]().union(*(first_bytes(tree)[0] for tree in trees if _is_edged(tree))) & WORD
    free = frozenset[int]().union(*(first_bytes(tree)[0] for tree in trees if not _is_edged(tree)))
    free |= {BACKSLASH} | (NOT_ASCII & frozenset[int]().union(*(first_bytes(tree)[0] for tree in trees)))
    starts = re.compile(rb"(?<![0-9A-Za-z_])" + _class(edged) + b"|" + _class(free)).finditer

    near = max((longest(tree) for tree in trees if longest(tree) <= NEAR), default=0) + 1
    wide = [tree for tree in trees if longest(tree) > NEAR]
    far = searching(closure(wide)) if wide else None

    def place(text: bytes, at: int) -> int:
        size = len(text)
        if size - at > near:
            tail = size - near if text[-near:].isascii() else size - 4 * near
            if tail > at:
                first = far(text, at, size)[0][0] if far else size
                if 0 <= first < tail:
                    return first
                at = tail
        for found in starts(text, at):
            if begun(text, found.start(), size)[0][0] >= 0:
                return found.start()
        return size

    return place


def _is_edged(tree: Node) -> bool:
    return _parts(tree)[0] in (OPENED, EDGE)


def _class(some: frozenset[int]) -> bytes:
    return b"[" + b"".join(b"\\x%02x" % each for each in sorted(some)) + b"]" if some else b"(?!)"


def table(nodes: Iterable[Node]) -> Callable[[bytes], list[int]]:
    """All patterns side by side: `text -> indexes` of those that can match at its start, unsorted.

    The text is the first SEEN bytes. They are told apart by their first characters: an engine that names all that
    match reads on while one still may.
    """
    rows = re2.Set.MatchSet(_options(SMALL))
    for node in nodes:
        rows.Add(source(beginning(node, FIRST)))
    rows.Compile()
    match: Callable[[bytes], list[int]] = rows._set.Match  # noqa: SLF001 -- as `searching` says
    return match


def searching(regex: Any) -> Match:
    """`(text, at, end) -> spans` of the leftmost match, (-1, -1) first where there is none.

    The engine itself: its Python wrapper makes a generator and a match object a call, which costs as much again.
    """
    return partial(regex._regexp.Match, re2._Anchor.UNANCHORED)  # noqa: SLF001 -- as said


def matching(regex: Any) -> Match:
    """`searching`, but only at `at`."""
    return partial(regex._regexp.Match, re2._Anchor.ANCHOR_START)  # noqa: SLF001 -- as above


def spotting(pattern: str, tree: Node) -> Spot:
    """`(text, at, end) -> (begin, end)` of the identifier where the opened pattern matches at `at`, else (-1, -1).

    `tree` is what was read of the opened pattern.

    Captures cost the engine up to ten times what a match does. So where it can, what stands before the identifier is
    matched by itself, and the identifier behind it. The engine prefers an earlier part's first choice to any choice of
    a later part, so if the rest matches behind that first choice, this is the match; only if not, captures decide.
    """
    whole = matching(single(opened(pattern)))
    parts = _parts(tree)
    if parts[0] == OPENED:
        parts = (EDGE, *parts[1:])
    place = next((index for index, part in enumerate(parts) if isinstance(part, Group) and part.head == "(?P<id>"), -1)
    if place < 0:
        return lambda text, at, end: whole(text, at, end)[1]
    before, after = parts[:place], parts[place + 1 :]
    group = 1 if longest(Seq(after)) else 0
    named = "(?P<id>" if group else "(?:"
    tail = f"{named}{source(parts[place], exact=True)}){source(Seq(after), exact=True)}"
    rest = matching(_compile(tail, SINGLE))
    if not before:
        return lambda text, at, end: rest(text, at, end)[group]
    if before == (EDGE,):
        edged = matching(_compile(rf"\b{tail}", SINGLE))
        return lambda text, at, end: (
            rest(text, at + 2, end)[group]
            if text[at] == BACKSLASH and text[at + 1 : at + 2] in ESCAPED
            else edged(text, at, end)[group]
        )
    head = matching(_compile(opened(source(Seq(before), exact=True)), SINGLE))
    plain = matching(_compile(opened(source(Seq(parts), exact=True)), SINGLE))

    def spot(text: bytes, at: int, end: int) -> tuple[int, int]:
        begin = head(text, at, end)[0][1]
        if begin < 0:
            return NOWHERE
        found = rest(text, begin, end)[group]
        return found if found[0] >= 0 or plain(text, at, end)[0][0] < 0 else whole(text, at, end)[1]

    return spot


def _parts(node: Node) -> tuple[Node, ...]:
    return node.parts if isinstance(node, Seq) else (node,)


def single(pattern: str) -> Any:
    """One pattern with its capture."""
    return _compile(pattern, SINGLE)


def _compile(text: str, memory: int = SMALL) -> Any:
    try:
        return re2.compile(text, _options(memory))
    except re2.error as fault:
        raise PatternError(f"not RE2: {fault}") from None


def _options(memory: int) -> Any:
    options = re2.Options()
    options.max_mem = memory
    options.log_errors = False
    return options


def _choice(sources: Iterable[str]) -> str:
    return f"(?:{'|'.join(sources)})"


def _open(head: str) -> str:
    return "(?:" if head == "(?P<id>" else head

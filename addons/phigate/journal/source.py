"""What a proof is made of: files as lines and checkpoints, and what records say of files that are not here. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from phigate.journal import chain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from phigate.journal.proof import Proof


class Unreadable(Exception):  # noqa: N818 - what a file is
    """A file that ends in the middle of what it is packed in."""


class Source(NamedTuple):
    """One file of an instance: its plain name, the number in it, its lines (Unreadable), and its checkpoints.

    `copy` gives the lines of its compressed form where both are there.
    """

    name: str
    seq: int
    lines: Callable[[], Iterator[bytes]]
    checkpoints: Callable[[], bytes]
    copy: Callable[[], Iterator[bytes]] | None = None

    @property
    def beside(self) -> str:
        """The name of the file with its checkpoints."""
        return f"{self.name.removesuffix('.jsonl')}.checkpoints"


class Gap(NamedTuple):
    """Records that are not here, [start, end): the file behind them, the link it names, the root it starts from."""

    file: str
    start: int
    end: int
    prev: str
    root: str | None
    follows: str | None = None
    """The file that it says it follows."""


class Pruned(NamedTuple):
    """What a `prune` record accounts for: all from `since` to `last` is gone; where the record itself stands."""

    file: str
    since: int
    last: int
    digest: str
    root: str
    at: int
    within: str


class Aside(NamedTuple):
    """A file that an operator took out, the number that the one behind it begins with, where the record says so."""

    file: str
    until: int | None
    at: int
    within: str


@dataclass(slots=True)
class Walked:
    """What came of one instance: its proof, what is not here, and what accounts for that of any instance."""

    proof: Proof
    gaps: list[Gap] = field(default_factory=list)
    pruned: list[Pruned] = field(default_factory=list)
    aside: list[Aside] = field(default_factory=list)


class First(NamedTuple):
    """The head of a file: whether it has a whole line, its first record, and which files hold nothing that counts."""

    begun: bool
    opened: dict[str, Any]
    empty: list[str]


def first_of(source: Source) -> First:
    """Read the head of a file."""
    try:
        lines = source.lines()
        line, second = next(lines, b""), next(lines, b"")
    except Unreadable:
        return First(True, {}, [])
    opened, told = chain.parse(line) or {}, chain.parse(second) or {}
    if opened.get("kind") != "opened":
        return First(line.endswith(b"\n"), {}, [])
    files = told.get("files") if told.get("kind") == "recovered" else None
    left = [each for each in files if isinstance(each, dict)] if isinstance(files, list) else []
    return First(True, _slim(opened), [str(each.get("file")) for each in left if each.get("unacknowledged") is True])


def uncounted(sources: Sequence[Source], firsts: Mapping[str, First]) -> set[str]:
    """The files of which no record counts, as another says that counts itself: of none before its own beginning."""
    empty = set[str]()
    for source in sources:
        if source.name not in empty:
            told = set(firsts[source.name].empty) - {source.name}
            empty |= {each.name for each in sources if each.name in told and each.seq >= source.seq}
    return empty


def _slim(opened: dict[str, Any]) -> dict[str, Any]:
    """What the walk asks of it: the heads of all files are held at once, and each may be as long as a line may."""
    follows = opened.get("follows")
    if isinstance(follows, dict):
        spare = follows.get("spare")
        sizes = {name: size for name, size in spare.items() if type(size) is int} if isinstance(spare, dict) else None
        follows = {"file": str(follows.get("file"))[:512], "torn": follows.get("torn")}
        follows |= {} if sizes is None else {"spare": {name: sizes.get(name) for name in ("lines", "bytes")}}
        follows["torn"] = follows["torn"] if type(follows["torn"]) is int else None
    return {"kind": "opened", "seq": opened["seq"], "follows": follows}


def pruned_of(record: dict[str, Any], within: str) -> Pruned | None:
    """What a `prune` record says, which stands in the file `within`; None when it says nothing that can be checked."""
    texts = [record.get(name) for name in ("file", "digest", "root")]
    numbers = [record.get(name) for name in ("since", "last")]
    if not all(isinstance(each, str) for each in texts) or not all(type(each) is int for each in numbers):
        return None
    return Pruned(str(texts[0]), numbers[0], numbers[1], str(texts[1]), str(texts[2]), record["seq"], within)  # type: ignore[arg-type]

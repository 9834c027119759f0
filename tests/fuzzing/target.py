"""What is fuzzed: a parser with an oracle, examples to begin with, and words that its inputs are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


class Wrong(AssertionError):  # noqa: N818 -- what the oracle says
    """The parser did not raise, and what it made of its input is wrong all the same."""


@dataclass(frozen=True)
class Target:
    """`run` raises whatever is a finding, and nothing else; `seeds` are inputs that reach the places behind the checks.

    `words` are what inputs are made of, beside the bytes that a mutation makes up; `longest` bounds an input, in bytes.
    """

    run: Callable[[bytes], None]
    seeds: Callable[[], Iterable[bytes]]
    words: tuple[bytes, ...] = ()
    longest: int = 2048


def hold(condition: object, sentence: str) -> None:
    """Raise Wrong with this sentence unless a condition holds; an `assert` would be gone under `-O`."""
    if not condition:
        raise Wrong(sentence)


def chunkings(data: Any) -> Iterator[list[Any]]:
    """An input whole and in pieces, the shorter it is the smaller."""
    yield [data]
    step = 1 if len(data) <= 128 else 7 if len(data) <= 512 else 61
    yield [data[at : at + step] for at in range(0, len(data), step)]


def alike(data: Any, read: Callable[[list[Any]], Any], broken: type[Exception]) -> Any:
    """What is read of an input at every chunking: always the same, or always `broken` (None)."""
    results = []
    for pieces in chunkings(data):
        try:
            results.append(read(pieces))
        except broken:
            results.append(None)
    hold(all(result == results[0] for result in results), "read otherwise in other pieces")
    return results[0]


def edited(honest: bytes, edits: bytes) -> bytes:
    """An honest input with changes: of each four bytes two say where, one how many go, one what comes."""
    changed = bytearray(honest)
    for at in range(0, len(edits) - 3, 4):
        where = int.from_bytes(edits[at : at + 2]) % (len(changed) + 1)
        gone, come = edits[at + 2], edits[at + 3]
        changed[where : where + gone % 4] = bytes([come]) * (gone >> 2 & 3)
    return bytes(changed)

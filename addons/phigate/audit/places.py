"""Lines at known places of a journal's files, plain or compressed: forward only, in bounded memory.

A place is an offset and a length in bytes of the plain file, whatever form the file has now.
"""

from __future__ import annotations

import io
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Final

import zstandard

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

COMPRESSED: Final = ".zst"
_STEP: Final = 1024 * 1024


def plain_name(path: Path) -> str:
    """The name that a file had before it was compressed, and has in the index."""
    return path.name.removesuffix(COMPRESSED)


@contextmanager
def opened(path: Path) -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    """The plain bytes of a file, and the file itself, whose position tells how far it is read."""
    with path.open("rb") as file:
        if path.suffix != COMPRESSED:
            yield file, file
            return
        reader = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
        with io.BufferedReader(reader, _STEP) as plain:
            yield plain, file


def skip(plain: IO[bytes], count: int) -> None:
    """Go on by so many bytes, or to the end."""
    if plain.seekable() and not isinstance(plain, io.BufferedReader):
        plain.seek(count, io.SEEK_CUR)
        return
    while count > 0 and (piece := plain.read(min(count, _STEP))):
        count -= len(piece)


def lines_at(path: Path, places: Iterable[tuple[int, int]]) -> Iterator[bytes]:
    """The line at each (offset, length), which come in order of offset; shorter where the file ends before."""
    with opened(path) as (plain, _):
        at = 0
        for offset, length in places:
            skip(plain, offset - at)
            line = plain.read(length)
            at = offset + len(line)
            yield line

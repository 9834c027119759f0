"""Lines at known places of a journal's files: an offset and a length in bytes of the plain file, whatever its form."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from phigate.journal import read

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path


def lines_at(path: Path, places: Iterable[tuple[int, int]]) -> Iterator[bytes]:
    """The line at each (offset, length); shorter where the file ends before. Raises OSError and `zst.Damaged`."""
    with read.opened(path) as plain:
        for offset, length in places:
            plain.seek(offset)
            yield plain.read(length)


def size_of(path: Path) -> int:
    """Bytes of the plain file. Raises OSError and `zst.Damaged`."""
    with read.opened(path) as plain:
        return plain.seek(0, io.SEEK_END)

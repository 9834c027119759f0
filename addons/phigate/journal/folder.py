"""[I/O] The evidence in a folder, read from copies that may be read-only: nothing is written, nothing is locked.

Checkpoints are read before the records they speak of, so that a gateway which writes meanwhile is never found short.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, NamedTuple

from phigate.journal import note, read, zst
from phigate.journal.judge import Evidence, judge
from phigate.journal.note import NoteFault
from phigate.journal.source import Source, Unreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from phigate.journal.note import Vkey
    from phigate.journal.proof import Proof

CHECKPOINTS = ".checkpoints"
MOST_OF_KEYS = 64 * 1024
MOST_OF_CHECKPOINTS = 64 * 1024 * 1024
"""Bytes: a day's are three million."""


class Size(NamedTuple):
    """What is going to be read: files, and their plain bytes as far as that is known before."""

    files: int
    bytes: int


def keys_in(path: Path) -> list[Vkey]:
    """The public keys in a file, one a line, with `#` before what is none; raises NoteFault or OSError."""
    with path.open("rb") as file:
        raw = file.read(MOST_OF_KEYS + 1)
    lines = raw.decode("utf-8", "replace").splitlines()
    found = [note.parse_vkey(line.strip()) for line in lines if line.strip() and not line.startswith("#")]
    if not found or len(raw) > MOST_OF_KEYS:
        raise NoteFault("holds no key")
    return found


def size_of(folder: Path) -> Size:
    """How much there is; raises OSError."""
    every = read.files(folder)
    return Size(len(every), sum(map(_bytes, every)))


def _bytes(file: read.JournalFile) -> int:
    try:
        if file.path.suffix != zst.SUFFIX:
            return file.path.stat().st_size
        with read.opened(file.path) as plain:
            return plain.seek(0, 2)
    except (zst.Damaged, OSError):
        return 0


def prove(
    folder: Path,
    keys: Sequence[Vkey],
    anchors: Sequence[Path] = (),
    progress: Callable[[int], None] = lambda _bytes: None,
) -> list[Proof]:
    """What the files of a folder prove, by instance; raises OSError for the folder or an anchor's file."""
    kept = {str(path): path.read_bytes() for path in anchors}
    beside = {path.name: path for path in folder.iterdir() if path.name.endswith(CHECKPOINTS)}
    sources: dict[str, list[Source]] = {}
    for file in read.files(folder):
        signed = beside.pop(f"{file.name.removesuffix('.jsonl')}{CHECKPOINTS}", None)
        plain, packed = read.forms(file.path)
        copy = _lines(packed) if plain.exists() and packed.exists() else None
        one = Source(file.name, file.seq, _lines(file.path), _checkpoints(signed), copy)
        sources.setdefault(file.instance, []).append(one)
    orphans = {name: (name.rsplit("-", 2)[0], _checkpoints(path)) for name, path in beside.items()}
    return judge(Evidence(sources, orphans, kept, keys), progress)


def _checkpoints(path: Path | None) -> Callable[[], bytes]:
    def whole() -> bytes:
        try:
            if path is None:
                return b""
            with read.regular(path) as file:
                raw = file.read(MOST_OF_CHECKPOINTS + 1)
        except FileNotFoundError:
            return b""
        if len(raw) > MOST_OF_CHECKPOINTS:
            raise OSError(errno.EFBIG, "is larger than checkpoints can be", str(path))
        return raw

    return whole


def _lines(path: Path) -> Callable[[], Iterator[bytes]]:
    def streamed() -> Iterator[bytes]:
        try:
            yield from read.lines(path)
        except (zst.Damaged, OSError) as fault:
            raise Unreadable from fault

    return streamed

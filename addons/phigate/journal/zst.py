"""Compressed journal files: frames of the plain bytes with a table at the end, so that any place is read by itself.

A file is a row of zstd frames (RFC 8878), each of at most FRAME plain bytes and with a checksum of its own, then a
skippable frame that names the sizes of them all: zstd's seekable format. `zstd -d` reads it like any other. Reading
here is stricter: sizes, checksums and the table must agree with each other and with the file, and no frame can make
more of itself than FRAME bytes. What does not hold is Damaged; it is never taken for the end of the file.
"""

from __future__ import annotations

import io
import struct
from bisect import bisect_right
from typing import TYPE_CHECKING, BinaryIO, Final

import zstandard

if TYPE_CHECKING:
    from collections.abc import Buffer, Iterable, Iterator

SUFFIX: Final = ".zst"
FRAME: Final = 1024 * 1024
"""Plain bytes of a frame."""
LEVEL: Final = 3
_MOST: Final = FRAME + FRAME // 128 + 1024
"""Compressed bytes of a frame of noise, and some."""
_SKIPPABLE: Final = 0x184D2A5E
_SEEKABLE: Final = 0x8F92EAB1
_HEAD, _ROW, _FOOT = struct.Struct("<II"), struct.Struct("<II"), struct.Struct("<IBI")


class Damaged(ValueError):  # noqa: N818 - the state of a file, told in a flaw
    """A compressed file that is torn, changed, or was not written by us; the message quotes nothing of it."""


def packed(plain: Iterable[bytes]) -> Iterator[bytes]:
    """The file of some plain bytes, given in pieces of at most FRAME: its frames, then their table."""
    compressor = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True, write_content_size=True)
    rows: list[tuple[int, int]] = []
    for piece in plain:
        if len(piece) > FRAME:
            raise ValueError("a piece is larger than a frame")
        frame = compressor.compress(piece)
        rows.append((len(frame), len(piece)))
        yield frame
    table = b"".join(_ROW.pack(*row) for row in rows) + _FOOT.pack(len(rows), 0, _SEEKABLE)
    yield _HEAD.pack(_SKIPPABLE, len(table)) + table


class Plain(io.RawIOBase):
    """The plain bytes of a compressed file, readable from any place; raises Damaged where it does not hold."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._file = file
        self._starts, self._ends = _table(file)
        """Where each frame starts in the file, and where its plain bytes end."""
        self._decompressor = zstandard.ZstdDecompressor()
        self._at = 0
        self._number, self._frame = -1, b""

    @property
    def size(self) -> int:
        """Plain bytes in all."""
        return self._ends[-1] if self._ends else 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = max(0, offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.size}[whence])
        return self._at

    def readinto(self, into: Buffer) -> int:
        if self._at >= self.size:
            return 0
        number = bisect_right(self._ends, self._at)
        if number != self._number:
            self._number, self._frame = number, self._plain(number)
        view = memoryview(into)
        start = self._at - (self._ends[number] - len(self._frame))
        piece = self._frame[start : start + len(view)]
        view[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)

    def _plain(self, number: int) -> bytes:
        start, end = self._starts[number : number + 2]
        wanted = self._ends[number] - (self._ends[number - 1] if number else 0)
        self._file.seek(start)
        frame = self._file.read(end - start)
        try:
            if zstandard.frame_content_size(frame) == wanted:  # what the frame says is what is allocated
                return self._decompressor.decompress(frame, allow_extra_data=False)
        except zstandard.ZstdError:
            pass
        raise Damaged(f"frame {number + 1} does not hold")

    def close(self) -> None:
        self._file.close()
        super().close()


def _table(file: BinaryIO) -> tuple[list[int], list[int]]:
    """The frames' places from the table at the end; raises Damaged unless it accounts for every byte of the file."""
    size = file.seek(0, io.SEEK_END)
    if size < _HEAD.size + _FOOT.size:
        raise Damaged("the table of frames is missing")
    file.seek(size - _FOOT.size)
    count, flags, magic = _FOOT.unpack(file.read(_FOOT.size))
    start = size - _FOOT.size - count * _ROW.size - _HEAD.size
    if magic != _SEEKABLE or flags or start < 0:
        raise Damaged("the table of frames is missing")
    file.seek(start)
    if _HEAD.unpack(file.read(_HEAD.size)) != (_SKIPPABLE, size - start - _HEAD.size):
        raise Damaged("the table of frames does not hold")
    starts, ends = [0], [0]
    for packed_size, plain_size in _ROW.iter_unpack(file.read(count * _ROW.size)):
        if not 0 < plain_size <= FRAME or packed_size > _MOST:
            raise Damaged("the table of frames does not hold")
        starts.append(starts[-1] + packed_size)
        ends.append(ends[-1] + plain_size)
    if starts[-1] != start:
        raise Damaged("the table of frames does not hold")
    return starts, ends[1:]

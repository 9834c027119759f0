"""Compressed bodies, decoded as they arrive (RFC 9110, 8.4.1): bounded, and to the last byte.

An upstream is asked for none; what one sends all the same is decoded, since what is hidden in it cannot be masked.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Protocol

import brotli
import zstandard

if TYPE_CHECKING:
    from collections.abc import Callable

MOST = 64 * 1024 * 1024
"""Bytes that one body, or one piece of a stream, may decode to."""
_STEP = 256
"""Bytes that are decoded at a time where the library knows no bound: at most 8 MB come of them."""
_WINDOW = 8 * 1024 * 1024
"""Bytes of memory for a window of zstandard (RFC 9659)."""


class EncodingError(ValueError):
    """A body that is not what its encoding says, or too large; carries nothing of it."""


class Decoder(Protocol):
    """Encoded bytes in, plain bytes out; both raise EncodingError."""

    def feed(self, data: bytes) -> bytes: ...

    def close(self) -> None:
        """The body has ended: nothing may be missing."""


class _Gzip:
    def __init__(self) -> None:
        self._stream = zlib.decompressobj(wbits=31)

    def feed(self, data: bytes) -> bytes:
        try:
            plain = self._stream.decompress(data, MOST)
        except zlib.error:
            raise EncodingError("not gzip") from None
        if self._stream.unconsumed_tail:
            raise EncodingError("too large")
        if self._stream.unused_data:  # a second member, which some would read and others not
            raise EncodingError("more than one member")
        return plain

    def close(self) -> None:
        if not self._stream.eof:
            raise EncodingError("cut off")


class _Brotli:
    def __init__(self) -> None:
        self._stream = brotli.Decompressor()

    def feed(self, data: bytes) -> bytes:
        try:
            plain = bytes(self._stream.process(data, output_buffer_limit=MOST))
        except brotli.error:
            raise EncodingError("not brotli") from None
        if len(plain) > MOST or not self._stream.can_accept_more_data():
            raise EncodingError("too large")
        return plain

    def close(self) -> None:
        if not self._stream.is_finished():
            raise EncodingError("cut off")


class _Zstandard:
    def __init__(self) -> None:
        self._stream = zstandard.ZstdDecompressor(max_window_size=_WINDOW).decompressobj()

    def feed(self, data: bytes) -> bytes:
        plain, size = [], 0
        for at in range(0, len(data), _STEP):
            try:
                plain.append(self._stream.decompress(data[at : at + _STEP]))
            except zstandard.ZstdError:
                raise EncodingError("not zstandard") from None
            size += len(plain[-1])
            if size > MOST:
                raise EncodingError("too large")
            if self._stream.unused_data:
                raise EncodingError("more than one frame")
        return b"".join(plain)

    def close(self) -> None:
        if not self._stream.eof:
            raise EncodingError("cut off")


class _Plain:
    def feed(self, data: bytes) -> bytes:
        return data

    def close(self) -> None:
        return


_DECODERS: dict[str, Callable[[], Decoder]] = {
    "": _Plain,
    "identity": _Plain,
    "gzip": _Gzip,
    "x-gzip": _Gzip,
    "br": _Brotli,
    "zstd": _Zstandard,
}


def known(encoding: str) -> bool:
    """Whether a `content-encoding` can be decoded; two of them, one in the other, cannot."""
    return encoding.strip().lower() in _DECODERS


def decoder(encoding: str) -> Decoder:
    """A decoder for one body; raises EncodingError for an encoding that nobody knows."""
    made = _DECODERS.get(encoding.strip().lower())
    if made is None:
        raise EncodingError("an encoding that nobody knows")
    return made()


def decoded(encoding: str, content: bytes) -> bytes:
    """A whole body."""
    reading = decoder(encoding)
    plain = reading.feed(content)
    reading.close()
    return plain

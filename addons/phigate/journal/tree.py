"""The Merkle tree over an instance's records (RFC 6962 section 2.1), kept as a compact range: pure, 32-byte hashes.

Leaf number n is the record with `seq` n; what the leaf holds are the 32 bytes of the SHA-256 of its whole line, the
same that the next record's `prev` names in hex. A compact range is the hashes of the largest perfect subtrees that
make up the first `size` leaves, from left to right: one for each 1 bit of `size`. It is all that is needed to go on,
so a file that starts with it can be proven without the files before it.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

EMPTY_ROOT = hashlib.sha256(b"").digest()
"""The root of no leaves (RFC 6962 section 2.1)."""
_HEX = re.compile(r"[0-9a-f]{64}", re.ASCII)


def leaf(data: bytes) -> bytes:
    """The hash of a leaf; its prefix keeps leaves and nodes apart."""
    return hashlib.sha256(b"\0" + data).digest()


def node(left: bytes, right: bytes) -> bytes:
    """The hash over two subtrees."""
    return hashlib.sha256(b"\1" + left + right).digest()


class Range:
    """The first `size` leaves of a tree, as the hashes of their perfect subtrees, largest first."""

    __slots__ = ("hashes", "size")

    def __init__(self, hashes: Iterable[bytes] = (), size: int = 0) -> None:
        self.hashes = list(hashes)
        self.size = size
        if size < 0 or len(self.hashes) != size.bit_count() or any(len(each) != 32 for each in self.hashes):
            raise ValueError("a compact range has one hash of 32 bytes for each 1 bit of its size")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Range) and (self.size, self.hashes) == (other.size, other.hashes)

    __hash__ = None  # type: ignore[assignment]  # it grows

    def append(self, data: bytes) -> None:
        """Add one leaf: the 32 bytes of a line's SHA-256."""
        sha256, hashes, size = hashlib.sha256, self.hashes, self.size
        new = sha256(b"\0" + data).digest()
        while size & 1:  # written out, since this runs once a record
            new = sha256(b"\1" + hashes.pop() + new).digest()
            size >>= 1
        hashes.append(new)
        self.size += 1

    def root(self) -> bytes:
        """The Merkle tree hash of all leaves so far."""
        if not self.hashes:
            return EMPTY_ROOT
        found = self.hashes[-1]
        for left in reversed(self.hashes[:-1]):
            found = node(left, found)
        return found

    def copy(self) -> Range:
        """The same range, which does not grow with this one."""
        return Range(self.hashes, self.size)

    def texts(self) -> list[str]:
        """The hashes in hex, as the field `tree` of an `opened` record holds them."""
        return [each.hex() for each in self.hashes]


def parse_range(texts: object, size: int) -> Range | None:
    """The range that a record's `tree` names, or None when it cannot be one of this size."""
    if not isinstance(texts, list) or size < 0 or len(texts) != size.bit_count():
        return None
    if not all(isinstance(each, str) and _HEX.fullmatch(each) for each in texts):
        return None
    return Range(map(bytes.fromhex, texts), size)

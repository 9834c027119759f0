"""The keys of this room, passed in; everything keyed here is HMAC-SHA256 under a purpose of its own.

A key belongs to an epoch. The last of the file is used from now on; those before it still find and turn back what was
made with them. No message carries a key.
"""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass, field
from hashlib import sha256

LINE = re.compile(r"([A-Za-z0-9._-]{1,32})[ \t]+((?:[0-9A-Fa-f]{2}){32,256})", re.ASCII)


class SecretsFault(ValueError):  # noqa: N818 - a fault of the operator's file
    """Keys that cannot be read; the message names the place and the line, never a key."""


@dataclass(frozen=True, slots=True)
class Secrets:
    """The organisation's masking key (32 bytes or more), the name of its epoch, and the keys that came before."""

    key: bytes = field(repr=False)
    epoch: str
    older: tuple[Secrets, ...] = field(default=(), repr=False)
    """Newest first, each without older ones of its own."""

    def __post_init__(self) -> None:
        if len(self.key) < 32:
            raise ValueError("the masking key is shorter than 32 bytes")

    @property
    def every(self) -> tuple[Secrets, ...]:
        """The keys that something may have been made with, newest first."""
        return (self, *self.older)

    def digest(self, *parts: str) -> bytes:
        """32 bytes that only this key gives for these parts (each part's length is bound in)."""
        body = b"".join(len(raw).to_bytes(4, "big") + raw for raw in (_bytes(part) for part in parts))
        return hmac.digest(self.key, body, sha256)


def parse_secrets(text: str, where: str) -> Secrets:
    """The keys that a text is: a line `EPOCH KEY` for each, oldest first, the key in hexadecimal.

    Empty lines and lines that begin with `#` say nothing. Raises SecretsFault; `where` names the text in it.
    """
    known: dict[str, Secrets] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        found = LINE.fullmatch(line.strip())
        if not found:
            raise SecretsFault(f"{where}:{number}: expected `EPOCH KEY`, the key 64 hexadecimal digits or more")
        if found[1] in known:
            raise SecretsFault(f"{where}:{number}: epoch `{found[1]}` stands twice")
        known[found[1]] = Secrets(bytes.fromhex(found[2]), found[1])
    if not known:
        raise SecretsFault(f"{where}: expected `EPOCH KEY`, the key 64 hexadecimal digits or more")
    *older, current = known.values()
    return Secrets(current.key, current.epoch, tuple(reversed(older)))


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")

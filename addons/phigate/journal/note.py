"""Signed notes and checkpoints: text that a key vouches for, and the head of a tree in it. Values in, bytes out.

A note (C2SP signed-note) is text, a blank line, and lines `— NAME BASE64(key id, signature)`. A checkpoint (C2SP
tlog-checkpoint) is a note whose text says the origin, the size of the tree, and its root (RFC 6962). Here the lines
after these are `file NAME`, `last HEX` and `time RFC3339`: they are for a reader, no verdict rests on them.

- Only Ed25519 (type 0x01) is known. Signatures of other keys are passed over; one of a known key that does not hold
  makes the whole note worthless.
- What is not exactly of this form is no note: there is one way to write each.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ED25519: Final = b"\x01"
MAX_NOTE: Final = 64 * 1024
"""Bytes of the longest note that is read."""
MAX_SIGNATURES: Final = 32
"""At least 16 must be read; a note may carry those of witnesses."""
_DASH: Final = "\u2014 "
_NAME: Final = re.compile(r"[^\s+\x00-\x1f]+")
_VKEY: Final = re.compile(r"([^\s+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]+=*)")
_SIZE: Final = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)


class NoteFault(ValueError):  # noqa: N818 - whose fault it is stays with whoever gave it
    """Why something is no note, no checkpoint or no key; never quotes what it was given."""


@dataclass(frozen=True, slots=True)
class Vkey:
    """A verifier's key: the name it signs under and the 32 bytes of its public half."""

    name: str
    public: bytes

    @property
    def id(self) -> bytes:
        """The 4 bytes by which a signature names its key."""
        return hashlib.sha256(self.name.encode() + b"\n" + ED25519 + self.public).digest()[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(ED25519 + self.public).decode()}"


@dataclass(frozen=True, slots=True)
class Note:
    """Text (with its last newline) and its signatures: name, key id, signature."""

    text: str
    signatures: tuple[tuple[str, bytes, bytes], ...]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The head of a tree: whose, of how many leaves, its root; and what else a reader is told."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def text(self) -> str:
        lines = (self.origin, str(self.size), base64.b64encode(self.root).decode(), *self.extensions)
        return "".join(f"{line}\n" for line in lines)

    def told(self, name: str) -> str | None:
        """What the extension line `name ...` says."""
        return next((line.partition(" ")[2] for line in self.extensions if line.startswith(f"{name} ")), None)


def origin_of(instance: str) -> str:
    """The origin of an instance's checkpoints, and the name of its key."""
    return f"phigate/{instance}"


def vkey_of(name: str, private: Ed25519PrivateKey) -> Vkey:
    """What a verifier needs of this key."""
    return Vkey(name, private.public_key().public_bytes_raw())


def parse_vkey(text: str) -> Vkey:
    """A key in its text form `NAME+ID+BASE64`; raises NoteFault."""
    match = _VKEY.fullmatch(text.strip("\n"))
    if match is None:
        raise NoteFault("not a key of the form NAME+ID+BASE64")
    kind, public = (found := _decoded(match[3]))[:1], found[1:]
    if kind != ED25519 or len(public) != 32:
        raise NoteFault("not an Ed25519 key")
    key = Vkey(match[1], public)
    if key.id.hex() != match[2]:
        raise NoteFault("the key's id is not that of its name and bytes")
    return key


def sign(text: str, key: Vkey, private: Ed25519PrivateKey) -> bytes:
    """A note of this text under one signature; `private` is the half of `key` that signs."""
    if not text.endswith("\n") or _odd(text) or not _NAME.fullmatch(key.name):
        raise NoteFault("a note's text ends with a newline and holds no control characters")
    signed = base64.b64encode(key.id + private.sign(text.encode())).decode()
    return f"{text}\n{_DASH}{key.name} {signed}\n".encode()


def parse(raw: bytes) -> Note:
    """One whole note, and nothing around it; raises NoteFault. Its signatures are not looked at: see `holds`."""
    if len(raw) > MAX_NOTE:
        raise NoteFault("longer than a note may be")
    try:
        whole = raw.decode()
    except UnicodeDecodeError:
        raise NoteFault("not UTF-8") from None
    text, blank, rest = whole.rpartition("\n\n")
    lines = rest.split("\n")
    if _odd(whole) or not blank or not text or lines.pop() or not 0 < len(lines) <= MAX_SIGNATURES:
        raise NoteFault("not text, a blank line and signatures")
    return Note(f"{text}\n", tuple(map(_signature, lines)))


def holds(note: Note, key: Vkey) -> bool:
    """Whether this key vouches for the text: it signed, and each of its signatures holds."""
    ours = [signature for name, ident, signature in note.signatures if (name, ident) == (key.name, key.id)]
    try:
        public = Ed25519PublicKey.from_public_bytes(key.public)
        for signature in ours:
            public.verify(signature, note.text.encode())
    except (InvalidSignature, ValueError):
        return False
    return bool(ours)


def parse_checkpoint(text: str) -> Checkpoint:
    """The checkpoint that a note's text is; raises NoteFault."""
    lines = text.split("\n")
    if len(lines) < 4 or lines.pop() or not all(lines):
        raise NoteFault("not at least three lines, none of them empty")
    origin, size, root, *extensions = lines
    if not _SIZE.fullmatch(size):
        raise NoteFault("not the size of a tree")
    if len(found := _decoded(root)) != 32:
        raise NoteFault("not the root of a tree")
    return Checkpoint(origin, int(size), found, tuple(extensions))


@dataclass(frozen=True, slots=True)
class Piece:
    """A note among others in one file, unread, and the line it starts on (from 1).

    `whole` is False for what is left over between or behind them.
    """

    line: int
    raw: bytes
    whole: bool


def pieces(raw: bytes) -> Iterator[Piece]:
    """The notes without empty lines in their text that stand one after another, and whatever is none of them.

    A torn last one is normal while (or after) it is written. Walked a line at a time: a file may be anybody's.
    """
    number, held, state = 1, list[bytes](), 0  # what is held ends with: text, a blank line, signatures
    for line in io.BytesIO(raw):
        signature = line.startswith(_DASH.encode()) and line.endswith(b"\n")
        if state == 2 and not signature:
            yield Piece(number, b"".join(held), whole=True)
            number, held, state = number + len(held), [], 0
        if line == b"\n" and not held:
            yield Piece(number, line, whole=False)
            number += 1
            continue
        if signature and state:
            state = 2
        elif line == b"\n" and not state:
            state = 1
        elif state and line.endswith(b"\n"):
            yield Piece(number, b"".join(held), whole=False)
            number, held, state = number + len(held), [], 0
        held.append(line)
    if held:
        yield Piece(number, b"".join(held), whole=state == 2)


def _odd(text: str) -> bool:
    return any(each < " " and each != "\n" for each in text)


def _signature(line: str) -> tuple[str, bytes, bytes]:
    dash, name, encoded = line[:2], *line[2:].partition(" ")[::2]
    if dash != _DASH or not _NAME.fullmatch(name):
        raise NoteFault("not a signature's line")
    found = _decoded(encoded)
    if len(found) < 5:
        raise NoteFault("not a signature's line")
    return name, found[:4], found[4:]


def _decoded(text: str) -> bytes:
    """Standard base64 (RFC 4648 section 4) in its one form, padding and unused bits included."""
    try:
        found = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise NoteFault("not base64") from None
    if base64.b64encode(found).decode() != text:
        raise NoteFault("not base64")
    return found

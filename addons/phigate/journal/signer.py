"""[I/O] The key that an instance signs its checkpoints with: made at the first start, in a folder for its owner only.

`<instance>.journal.key` holds the private half (`PRIVATE+KEY+NAME+ID+BASE64`, the form of C2SP notes), mode 600, made
whole or not at all. `<instance>.journal.pub` beside it is what auditors need: they should have it from the first day,
since a key that comes with a journal proves nothing about it.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import stat
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from phigate.journal import chain, note
from phigate.journal.disk import JournalFault, sync_folder

if TYPE_CHECKING:
    from pathlib import Path

    from phigate.journal.note import Vkey

PRIVATE: Final = ".journal.key"
PUBLIC: Final = ".journal.pub"
_KEY: Final = re.compile(r"PRIVATE\+KEY\+(?P<name>[^\s+]+)\+(?P<id>[0-9a-f]{8})\+(?P<bytes>[A-Za-z0-9+/]{44})\n")
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_LONGEST: Final = 4096


@dataclass(frozen=True, slots=True)
class Signer:
    """A key that signs notes in an instance's name."""

    vkey: Vkey
    _private: Ed25519PrivateKey = field(repr=False)

    def sign(self, text: str) -> bytes:
        """A note of this text; some 30 microseconds."""
        return note.sign(text, self.vkey, self._private)


def open_signer(folder: Path, instance: str) -> Signer:
    """The instance's key, made if there is none; raises JournalFault, in the operator's words."""
    if not chain.INSTANCE.fullmatch(instance):
        raise JournalFault("an instance's name is 1 to 64 letters, digits, `.`, `_` and `-`, the first no sign")
    path = folder / f"{instance}{PRIVATE}"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            with suppress(FileExistsError):
                _make(path, note.origin_of(instance))
        signer = _read(path, note.origin_of(instance))
        _publish(folder / f"{instance}{PUBLIC}", signer.vkey)
    except OSError as fault:
        raise JournalFault(f"{path}: {(fault.strerror or 'cannot be read').lower()}") from None
    return signer


def public_keys(folder: Path) -> list[Path]:
    """The files of public keys that stand in a folder of keys; raises OSError."""
    return sorted(path for path in folder.iterdir() if path.name.endswith(PUBLIC))


def _make(path: Path, name: str) -> None:
    private = Ed25519PrivateKey.generate()
    vkey = note.vkey_of(name, private)
    said = base64.b64encode(note.ED25519 + private.private_bytes_raw()).decode()
    _written(path, f"PRIVATE+KEY+{name}+{vkey.id.hex()}+{said}\n", 0o600)


def _publish(path: Path, vkey: Vkey) -> None:
    if not path.exists() or path.read_text(encoding="utf-8", errors="replace") != f"{vkey}\n":
        path.unlink(missing_ok=True)
        with suppress(FileExistsError):
            _written(path, f"{vkey}\n", 0o644)


def _written(path: Path, text: str, mode: int) -> None:
    """Made whole, under another name, and given its own only if nobody else was faster."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(unfinished, _NEW, mode), "w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.link(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)
    sync_folder(path.parent)


def _read(path: Path, name: str) -> Signer:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        about = os.fstat(file.fileno())
        if not stat.S_ISREG(about.st_mode):
            raise JournalFault(f"{path}: is not a file")
        if about.st_uid != os.geteuid():
            raise JournalFault(f"{path}: belongs to another user")
        if stat.S_IMODE(about.st_mode) & 0o077:
            raise JournalFault(f"{path}: must be readable by its owner only (mode 600)")
        text = file.read(_LONGEST).decode("ascii", "replace")
    match = _KEY.fullmatch(text)
    private = _private(match["bytes"]) if match else None
    if match is None or private is None:
        raise JournalFault(f"{path}: is not a key that signs checkpoints")
    vkey = note.vkey_of(name, private)
    if (match["name"], match["id"]) != (vkey.name, vkey.id.hex()):
        raise JournalFault(f"{path}: is the key of another instance")
    return Signer(vkey, private)


def _private(text: str) -> Ed25519PrivateKey | None:
    with suppress(binascii.Error, ValueError):
        raw = base64.b64decode(text, validate=True)
        if raw[:1] == note.ED25519:
            return Ed25519PrivateKey.from_private_bytes(raw[1:])
    return None

"""[I/O] The gateway's own signing keys: Ed25519, one file each, in a folder that several gateways may share.

- There are two: the active one, and the next, which is published long before it is used (RFC 9068 bearers are then
  believed everywhere from their first second).
- A key's file says from when on it is active, so that all who share the folder agree. It is made whole or not at all.
- A private half is deleted once the next key is active; the public half stays in the ledger until the last bearer that
  it could have signed is over.
- Only who holds the folder's lock makes or deletes; who cannot have it now leaves the work to whoever has.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import logging
import os
import re
import stat
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from phigate.identity.strict import to_base64url
from phigate.ledger import GatewayKey

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import timedelta
    from pathlib import Path

__all__ = ["Keyring", "KeyringFault", "SigningKey", "open_keyring"]

logger = logging.getLogger(__name__)

LEAD: Final = 600.0
"""Seconds between a key's publication and its first use, at least: longer than `/jwks.json` may be cached."""
LINGER: Final = 1200.0
"""Seconds that a public key outlives its use: the longest life of a bearer of ours, and clocks that are apart."""
LOOK: Final = 60.0
"""Seconds between two looks at what others did in the folder."""
LEASE: Final = 3600.0
"""Seconds; the ledger keeps the keys of a gateway that is gone for at most two of these, so that they never add up."""
PATIENCE: Final = 5.0
"""Seconds that opening waits for another gateway's lock."""

_NAME: Final = re.compile(r"gateway-([A-Za-z0-9_-]{43})\.pem", re.ASCII)
_UNFINISHED: Final = re.compile(r"\.gateway-[A-Za-z0-9_-]{43}\.new", re.ASCII)
_HEAD: Final = re.compile(rb"active-from: (0|[1-9][0-9]{0,11})\n(?=-----BEGIN PRIVATE KEY-----\n)", re.ASCII)
_LOCK: Final = "gateway.lock"
_LONGEST: Final = 4096
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class KeyringFault(Exception):  # noqa: N818 -- the operator's fault, told in the operator's words
    """Why the keys cannot be used, or not safely: one sentence that names the file, never what is in it."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key that signs: `sign` gives the 64 bytes of EdDSA over Ed25519 (RFC 8037, 3.1)."""

    kid: str
    sign: Callable[[bytes], bytes] = field(repr=False)


@dataclass(frozen=True, slots=True, order=True)
class _Held:
    active_from: int
    kid: str
    private: Ed25519PrivateKey = field(compare=False, repr=False)
    path: Path = field(compare=False)


def open_keyring(folder: Path, instance: str, now: float, rotate: timedelta) -> Keyring:
    """Open the folder, make what is missing in it, and drop what is over; raises KeyringFault.

    `now` is seconds since the epoch, `rotate` how long a key is used. May wait PATIENCE seconds for another gateway.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _private_folder(folder)
        keyring = Keyring(folder, instance)
        deadline = time.monotonic() + PATIENCE
        while not keyring.tend(now, rotate):
            if time.monotonic() > deadline:
                raise KeyringFault(f"{folder / _LOCK}: another process holds it")
            time.sleep(0.05)
    except OSError as error:
        raise KeyringFault(f"{folder}: {os.strerror(error.errno or 0).lower()}") from None
    return keyring


class Keyring:
    """The keys of one folder as this gateway knows them; made by `open_keyring`."""

    def __init__(self, folder: Path, instance: str) -> None:
        self._folder, self._instance = folder, instance
        self._keys: list[_Held] = []
        self._published: dict[str, float] = {}
        self._looked = float("-inf")
        self._told = False

    def active(self, now: float) -> SigningKey:
        """The key to sign with now."""
        held = self._keys[_place(self._keys, now)]
        return SigningKey(held.kid, held.private.sign)

    def due(self, now: float, rotate: timedelta) -> list[GatewayKey]:
        """Rotate where it is time, and tell which public keys the ledger is still to be given; never raises.

        To be asked often; a key is offered again until `published` says that the ledger has it.
        """
        place = _place(self._keys, now)
        if place or len(self._keys) < 2 or not 0 <= now - self._looked < LOOK:
            self._look(now, rotate)
        current = self._current(now, rotate)
        return [key for key in current if self._published.get(key.kid, 0.0) < key.expires]

    def published(self, key: GatewayKey) -> None:
        """Remember that the ledger has a key, and until when."""
        self._published[key.kid] = max(self._published.get(key.kid, 0.0), key.expires)

    def _look(self, now: float, rotate: timedelta) -> None:
        try:
            self.tend(now, rotate)
            self._told = False
        except KeyringFault as fault:
            self._say_once(str(fault))
        except OSError as error:
            self._say_once(os.strerror(error.errno or 0).lower())

    def _say_once(self, why: str) -> None:
        if not self._told:
            self._told = True
            logger.error("signing keys cannot be renewed, those at hand stay in use: %s", why)

    def tend(self, now: float, rotate: timedelta) -> bool:
        """Read the folder and bring it up to date; False when another process is doing that at the moment."""
        with _lock(self._folder / _LOCK) as ours:
            if not ours:
                return False
            keys = _read_folder(self._folder)
            keys = keys or [_make(self._folder, int(now))]
            over, keys = keys[: _place(keys, now)], keys[_place(keys, now) :]
            keys = [keys[0], *self._next(keys, now, rotate.total_seconds())]
            for held in over:
                held.path.unlink(missing_ok=True)
            self._keys, self._looked = keys, now
            self._published = {}  # a ledger that was put back from a copy may have lost them
        return True

    def _next(self, keys: list[_Held], now: float, rotate: float) -> list[_Held]:
        """What comes after the active key; one that would come too late, since `rotate` was shortened, is replaced."""
        wanted = int(max(min(keys[0].active_from, now) + rotate, now + LEAD))
        later = [held for held in keys[1:] if held.active_from <= wanted + LOOK]
        kept = later or [_make(self._folder, wanted)]
        for held in set(keys[1:]) - set(kept):
            held.path.unlink(missing_ok=True)
        return kept

    def _current(self, now: float, rotate: timedelta) -> list[GatewayKey]:
        """All keys at hand as the ledger is to have them: each until its successor has taken over, and a while more."""
        found = []
        for place, held in enumerate(self._keys):
            after = self._keys[place + 1 :]
            end = after[0].active_from if after else held.active_from + rotate.total_seconds()
            end = max(end, (now // LOOK + 1) * LOOK)  # a successor that could not be made in time
            end = min(end, (now // LEASE + 2) * LEASE)
            public = _public(held.private)
            found.append(GatewayKey(held.kid, self._instance, public, float(held.active_from), end + LINGER))
        return found


def _place(keys: list[_Held], now: float) -> int:
    """Which key is active: the last whose time has come, or the first of all where a clock went back."""
    return max(sum(held.active_from <= now for held in keys) - 1, 0)


# -- the folder -----------------------------------------------------------------------------------------------------


def _private_folder(folder: Path) -> None:
    about = folder.stat()
    if about.st_uid != os.geteuid():
        raise KeyringFault(f"{folder}: belongs to another user")
    if stat.S_IMODE(about.st_mode) & 0o077:
        raise KeyringFault(f"{folder}: must be for its owner only (mode 700)")


@contextlib.contextmanager
def _lock(path: Path) -> Iterator[bool]:
    """Hold the folder, if nobody else does; the lock goes with the process, so no crash leaves it behind."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)


def _read_folder(folder: Path) -> list[_Held]:
    found = []
    for path in folder.iterdir():
        if _UNFINISHED.fullmatch(path.name):  # whoever made it did not live to finish it
            path.unlink(missing_ok=True)
        elif name := _NAME.fullmatch(path.name):
            found.append(_read(path, name[1]))
    return sorted(found)


def _read(path: Path, kid: str) -> _Held:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise KeyringFault(f"{path}: {os.strerror(error.errno or 0).lower()}") from None
    with os.fdopen(descriptor, "rb") as file:
        about = os.fstat(file.fileno())
        if not stat.S_ISREG(about.st_mode):
            raise KeyringFault(f"{path}: is not a file")
        if about.st_uid != os.geteuid():
            raise KeyringFault(f"{path}: belongs to another user")
        if stat.S_IMODE(about.st_mode) & 0o077:
            raise KeyringFault(f"{path}: must be readable by its owner only (mode 600)")
        text = file.read(_LONGEST + 1)
    head = _HEAD.match(text)
    private = _private(text[head.end() :]) if head and len(text) <= _LONGEST else None
    if head is None or private is None:
        raise KeyringFault(f"{path}: is not a key that a gateway wrote")
    if _thumbprint(private) != kid:
        raise KeyringFault(f"{path}: holds another key than its name says")
    return _Held(int(head[1]), kid, private, path)


def _private(pem: bytes) -> Ed25519PrivateKey | None:
    try:
        key = load_pem_private_key(pem, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, Ed25519PrivateKey) else None


def _make(folder: Path, active_from: int) -> _Held:
    private = Ed25519PrivateKey.generate()
    kid = _thumbprint(private)
    path, unfinished = folder / f"gateway-{kid}.pem", folder / f".gateway-{kid}.new"
    text = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with os.fdopen(os.open(unfinished, _NEW, 0o600), "wb") as file:
        file.write(b"active-from: %d\n%b" % (active_from, text))
        file.flush()
        os.fsync(file.fileno())
    unfinished.rename(path)
    _sync_folder(folder)
    return _Held(active_from, kid, private, path)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


# -- the keys -------------------------------------------------------------------------------------------------------


def _public(private: Ed25519PrivateKey) -> dict[str, Any]:
    """The public half as a JWK (RFC 8037, 2)."""
    x = to_base64url(private.public_key().public_bytes_raw())
    return {"kty": "OKP", "crv": "Ed25519", "x": x, "kid": _thumbprint(private), "use": "sig", "alg": "EdDSA"}


def _thumbprint(private: Ed25519PrivateKey) -> str:
    """RFC 7638, with the members that RFC 8037 section 2 names for this kind of key."""
    x = to_base64url(private.public_key().public_bytes_raw())
    return to_base64url(hashlib.sha256(b'{"crv":"Ed25519","kty":"OKP","x":"%b"}' % x.encode()).digest())

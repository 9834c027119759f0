"""[I/O] Anchors: checkpoints are given to places that the gateway's host does not hold.

- Each anchor has a thread of its own and remembers the newest checkpoint only: one that is slow or gone holds nobody up
  and nothing back, and is given the newest when it is there again. What is signed later covers what was signed before.
- An anchor took a checkpoint when its file is synced, when the syslog server ended the connection in order after it
  (RFC 5425 knows no other receipt), or when the web server answered 2xx.
- That it did is put on record by whoever asks `taken`, at most once a minute an anchor.
"""

from __future__ import annotations

import base64
import os
import socket
import ssl
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlsplit

import httpx

from phigate.journal.disk import JournalFault

if TYPE_CHECKING:
    from collections.abc import Callable

    from phigate.journal.note import Checkpoint

PATIENCE: Final = 5.0
"""Seconds that an anchor may take."""
PARTING: Final = 2.0
"""Seconds that all of them have at the end."""
AGAIN: Final = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
"""Seconds to wait after the first, second, ... failure."""
NOTED: Final = 60.0
"""Seconds between two records of one anchor."""
SYSLOG_TLS: Final = 6514
_AUDIT_NOTICE: Final = 13 * 8 + 5  # facility log audit, severity notice (RFC 5424, 6.2.1)
_LOOPBACK: Final = {"127.0.0.1", "::1", "localhost"}
_FLAGS: Final = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC

type Send = Callable[[Checkpoint, bytes], None]
"""Gives one signed note away; raises OSError, ssl.SSLError or httpx.HTTPError."""


class Taken(NamedTuple):
    """A checkpoint that an anchor took."""

    where: str
    size: int
    root: bytes


class Anchor:
    """One place, its thread, and how it stands."""

    def __init__(self, where: str, send: Send) -> None:
        self.where = where
        """Its kind and host, as records and metrics name it."""
        self.fault: str | None = None
        """Why the last checkpoint was not taken; None when it was."""
        self.size = 0
        """How many records the last checkpoint covers that it took."""
        self._send = send
        self._newest: tuple[Checkpoint, bytes] | None = None
        self._root = b""
        self._noted_size, self._noted_at = 0, float("-inf")
        self._news, self._leaving = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="anchor", daemon=True)
        self._thread.start()

    def offer(self, checkpoint: Checkpoint, signed: bytes) -> None:
        """Give it a checkpoint to take; returns at once."""
        self._newest = (checkpoint, signed)
        self._news.set()

    def taken(self, now: float) -> Taken | None:
        """What is to be put on record by now (monotonic seconds), if anything."""
        size, root = self.size, self._root
        if size == self._noted_size or now - self._noted_at < NOTED:
            return None
        self._noted_size, self._noted_at = size, now
        return Taken(self.where, size, root)

    def leave(self) -> None:
        """Give away what is left, once, then end the thread."""
        self._leaving.set()
        self._news.set()

    def join(self, timeout: float) -> None:
        """Wait for its end; a thread that is still in a call is left behind."""
        self._thread.join(timeout)

    def _run(self) -> None:
        failures = 0
        while True:
            self._news.wait()
            self._news.clear()
            if (newest := self._newest) is not None and newest[0].size > self.size:
                failures = 0 if self._tried(*newest) else failures + 1
            if self._leaving.is_set():
                return
            if failures:
                self._leaving.wait(AGAIN[min(failures, len(AGAIN)) - 1])
                self._news.set()

    def _tried(self, checkpoint: Checkpoint, signed: bytes) -> bool:
        try:
            self._send(checkpoint, signed)
        except Exception as fault:  # noqa: BLE001 - whatever it is, the next checkpoint is offered to it again
            self.fault = type(fault).__name__
            return False
        self._root, self.size, self.fault = checkpoint.root, checkpoint.size, None
        return True


class Anchors:
    """All anchors of one gateway."""

    def __init__(self, every: list[Anchor]) -> None:
        self.every = every

    def offer(self, checkpoint: Checkpoint, signed: bytes) -> None:
        """Give all of them a checkpoint to take; returns at once."""
        for anchor in self.every:
            anchor.offer(checkpoint, signed)

    def remarks(self) -> dict[str, str]:
        """What an operator should see to: anchors that take nothing."""
        return {
            f"journal-anchor {anchor.where}": f"takes no checkpoint ({anchor.fault})"
            for anchor in self.every
            if anchor.fault is not None
        }

    def stop(self, timeout: float = PARTING) -> None:
        """End all of them, after the last checkpoint where that is possible in time (seconds)."""
        deadline = time.monotonic() + timeout
        for anchor in self.every:
            anchor.leave()
        for anchor in self.every:
            anchor.join(max(deadline - time.monotonic(), 0.0))


def anchor_record(taken: Taken) -> dict[str, Any]:
    """`anchor`: a checkpoint of so many records with this root (hex) is kept by whoever is named by kind and host."""
    return {"where": taken.where, "size": taken.size, "root": taken.root.hex()}


def open_anchors(text: str, host: str) -> Anchors:
    """The anchors that an option names, comma separated; raises JournalFault in the operator's words.

    `host` is what this gateway is called in the syslog messages.
    """
    named = [_sender(part.strip(), host) for part in text.split(",") if part.strip()]
    return Anchors([Anchor(where, send) for where, send in named])


def _sender(url: str, host: str) -> tuple[str, Send]:
    try:
        parts = urlsplit(url)
        name, port = parts.hostname, parts.port
    except ValueError:
        raise JournalFault("an anchor is no address") from None
    if parts.scheme == "file" and parts.path.startswith("/") and not parts.netloc:
        path = Path(parts.path)
        return "file", lambda _checkpoint, signed: _append(path, signed)
    if parts.scheme == "syslog+tls" and name and not parts.path.strip("/"):
        to = (name, port or SYSLOG_TLS)
        return f"syslog+tls://{name}:{to[1]}", lambda checkpoint, signed: _log(to, host, checkpoint, signed)
    secure = parts.scheme == "https" or (parts.scheme == "http" and name in _LOOPBACK)
    if secure and name and parts.username is None:
        return f"{parts.scheme}://{name}{f':{port}' if port else ''}", lambda _checkpoint, signed: _post(url, signed)
    raise JournalFault("an anchor is `file:/PATH`, `syslog+tls://HOST:PORT` or `https://...`")


def _append(path: Path, signed: bytes) -> None:
    descriptor = os.open(path, _FLAGS, 0o600)
    try:
        size = os.fstat(descriptor).st_size
        if os.write(descriptor, signed) != len(signed):
            with suppress(OSError):
                os.ftruncate(descriptor, size)
            raise OSError("a write was cut short")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _log(to: tuple[str, int], host: str, checkpoint: Checkpoint, signed: bytes) -> None:
    """One message over TLS with a verified certificate, in a connection of its own."""
    framed = frame(message(host, checkpoint, signed, datetime.now(UTC)))
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    with (
        socket.create_connection(to, timeout=PATIENCE) as plain,
        context.wrap_socket(plain, server_hostname=to[0]) as secure,
    ):
        secure.sendall(framed)
        secure.unwrap()  # waits for the server's own `close_notify`: it has read what came before


def message(host: str, checkpoint: Checkpoint, signed: bytes, now: datetime) -> bytes:
    """A syslog message (RFC 5424) on one line that carries the note whole; `phigate verify --anchor` finds it there."""
    root = base64.b64encode(checkpoint.root).decode()
    said = f"origin={checkpoint.origin} size={checkpoint.size} root={root} note={base64.b64encode(signed).decode()}"
    stamp = f"{now.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z"
    return f"<{_AUDIT_NOTICE}>1 {stamp} {host} phigate - checkpoint - {said}".encode("ascii", "replace")


def frame(message_: bytes) -> bytes:
    """A message as it travels over TLS (RFC 5425, 4.3): its length, a space, itself."""
    return b"%d %b" % (len(message_), message_)


def _post(url: str, signed: bytes) -> None:
    said = {"content-type": "text/plain; charset=utf-8"}
    with httpx.Client(trust_env=False, timeout=PATIENCE, verify=ssl.create_default_context()) as client:
        answer = client.post(url, content=signed, headers=said)
        if not answer.is_success:
            raise OSError("the server did not take it")

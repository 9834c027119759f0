"""The processes that the demo, the benchmarks and the live tests start, wait for, and stop again by their own id."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import httpx

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

ROOT: Final = Path(__file__).resolve().parents[1]
MITMDUMP: Final = str(Path(sys.executable).with_name("mitmdump"))
HOST: Final = "127.0.0.1"


class NotReady(Exception):  # noqa: N818 - it may be a matter of time
    """A process ended, or was not ready in time; the message carries the end of what it said."""


class Child:
    """One process, in a session of its own so that Ctrl-C reaches only its parent; what it says goes to `log`."""

    def __init__(self, name: str, command: Sequence[str], log: Path) -> None:
        self.name, self.command, self.log = name, list(command), log
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.log.parent,
                start_new_session=True,
            )
        return self

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def code(self) -> int | None:
        """Its exit code; None while it runs."""
        return None if self.process is None else self.process.poll()

    @property
    def alive(self) -> bool:
        return self.process is not None and self.code is None

    def said(self) -> str:
        """Return all of its output so far."""
        return self.log.read_text(errors="replace")

    def wait_until(self, ready: Callable[[], bool], seconds: float = 30.0) -> None:
        """Return as soon as `ready()`; raises NotReady when the process ends first, or time does."""
        end = time.monotonic() + seconds
        while not ready():
            if self.code is not None:
                raise NotReady(f"{self.name} ended with code {self.code}: {self.said()[-2000:].strip()}")
            if time.monotonic() > end:
                raise NotReady(f"{self.name} was not ready after {seconds:g} s: {self.said()[-2000:].strip()}")
            time.sleep(0.02)

    def stop(self, seconds: float = 10.0) -> None:
        """Ask it to end, then end it; safe to call twice."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self.stop()


def free_port() -> int:
    """Return a loopback port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def free(port: int) -> bool:
    """Tell whether the port can be listened on."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def listening(port: int) -> bool:
    """Tell whether somebody answers on the port."""
    with contextlib.suppress(OSError), socket.create_connection((HOST, port), timeout=1):
        return True
    return False


@cache
def asking() -> httpx.Client:
    """One client for all that is asked again and again: each reads the trust anchors of TLS, which takes 20 ms."""
    return httpx.Client(timeout=2, trust_env=False, limits=httpx.Limits(max_keepalive_connections=0))


def answers(url: str) -> bool:
    """Tell whether the address answers 200."""
    with contextlib.suppress(httpx.HTTPError):
        return asking().get(url).status_code == 200
    return False


def settings(**values: object) -> list[str]:
    """Return mitmproxy's `--set` arguments."""
    return [word for name, value in values.items() for word in ("--set", f"{name}={value}")]


class Gateway(Child):
    """A gateway in front of `model_url`, all that it writes under `folder`; ready when its console says so.

    `extra` are more arguments of mitmproxy; `program` may be another of its programs, `prefix` a command to run it by.
    """

    def __init__(
        self,
        model_url: str,
        policy: Path,
        folder: Path,
        *,
        port: int | None = None,
        console: int | None = None,
        instance: str | None = "sample",
        host: str = HOST,
        extra: Sequence[str] = (),
        program: str = MITMDUMP,
        prefix: Sequence[str] = (),
        script: Path = ROOT / "addons" / "gateway.py",
        ledger: str | None = None,
    ) -> None:
        self.port = port or free_port()
        self.console = console or free_port()
        self.journal = folder / "journal"
        mode = ["-q", "-s", str(script), "--mode", f"reverse:{model_url}"]
        listen = ["--listen-host", host, "--listen-port", str(self.port)]
        options = settings(
            confdir=folder / "mitmproxy",
            phi_policy=policy,
            phi_journal=self.journal,
            phi_secrets=folder / "keys" / "secrets",
            phi_keys=folder / "keys",
            phi_ledger=ledger or f"sqlite+aiosqlite:///{folder / 'ledger.db'}",
            phi_console=f"{HOST}:{self.console}",
        )
        if instance is not None:
            options += settings(phi_instance=instance)
        folder.mkdir(parents=True, exist_ok=True)
        super().__init__("gateway", [*prefix, program, *mode, *listen, *options, *extra], folder / "gateway.log")

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def checkpoint_key(self) -> Path:
        """The public key of the journal's checkpoints."""
        return self.journal.parent / "keys" / "sample.journal.pub"

    @property
    def console_url(self) -> str:
        return f"http://{HOST}:{self.console}"

    def ready(self) -> bool:
        return listening(self.port) and answers(f"{self.console_url}/readyz")

    def start(self) -> Self:
        super().start()
        try:
            self.wait_until(self.ready)
        except BaseException:
            self.stop()
            raise
        return self

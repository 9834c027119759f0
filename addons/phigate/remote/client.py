"""[I/O] What commands ask of a running gateway: its console, with the caller's own bearer.

- A bearer comes from the environment, a file or standard input, never from the command line, where others see it.
- https, or http that cannot leave this machine; no redirects, no proxy or credentials from the environment.
- Of an answer only JSON that every parser reads alike counts, of at most MOST bytes; a fault is told in the console's
  own words, and whatever it says is for a terminal only by `audit.questions.show.plain`.
"""

from __future__ import annotations

import json
import os
import ssl
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Self

import httpx
import typer

from phigate.identity.fetch import trusted
from phigate.identity.outcome import Refused
from phigate.identity.strict import read_object

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

REFUSED: Final = 1
"""Exit code: the gateway said no."""
USAGE: Final = 2
"""Exit code: what was asked cannot be asked so."""
UNREACHABLE: Final = 3
"""Exit code: nobody answered, or it cannot be settled at the moment; the same may be asked again."""

SECONDS: Final = 15.0
"""For one whole answer."""
MOST: Final = 1 << 20
"""Bytes of an answer."""
MOST_BEARER: Final = 64 * 1024
TOKEN: Final = "PHIGATE_TOKEN"  # noqa: S105 -- the name of a variable
_AGAIN: Final = {429, 502, 503, 504}

ConsoleUrl = Annotated[
    str, typer.Option("--console", envvar="PHIGATE_CONSOLE", help="The gateway's console, https or on this machine.")
]
TokenFile = Annotated[
    Path | None,
    typer.Option("--token-file", help=f"A file that holds your bearer; `-` is standard input. Else {TOKEN} is read."),
]


class Fault(Exception):  # noqa: N818 -- an answer as much as an error
    """Why nothing came of it: a sentence for people, an exit code, and the console's `code` where it gave one."""

    def __init__(self, sentence: str, exits: int, code: str | None = None) -> None:
        super().__init__(sentence)
        self.sentence, self.exits, self.code = sentence, exits, code


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    said: dict[str, Any] | None
    """None where it is no JSON object."""


class Console:
    """A gateway's console; to be used as a context, which closes its connections."""

    def __init__(self, url: str, bearer: str) -> None:
        if not trusted(url) or "?" in url:
            raise Fault("--console: not an https address (http on this machine only)", USAGE)
        self.url = url.rstrip("/")
        nobody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # loading whom the system trusts takes longer than all else
        self._client = httpx.Client(
            trust_env=False,
            follow_redirects=False,
            timeout=SECONDS,
            verify=ssl.create_default_context() if url.startswith("https:") else nobody,
            headers={
                "authorization": f"Bearer {bearer}",
                "accept": "application/json",
                "accept-encoding": "identity",
                "user-agent": "phigate",
            },
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self._client.close()

    def get(self, path: str) -> dict[str, Any]:
        """What the console answers; raises Fault."""
        return self._told(self._ask("GET", path, None))

    def post(self, path: str, said: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Say something to the console, as JSON, and give its answer; raises Fault."""
        return self._told(self._ask("POST", path, said))

    def _ask(self, method: str, path: str, said: Mapping[str, Any] | None) -> _Answer:
        more: dict[str, Any] = {} if said is None else {"json": dict(said)}
        end, raw = time.monotonic() + SECONDS, bytearray()
        try:
            with self._client.stream(method, self.url + path, **more) as answer:
                for piece in answer.iter_raw():
                    raw += piece
                    if len(raw) > MOST or time.monotonic() > end:
                        raise Fault(f"{self.url}: an answer without end", UNREACHABLE)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            raise Fault(f"{self.url}: no answer ({type(error).__name__})", UNREACHABLE) from None
        found = read_object(bytes(raw))
        return _Answer(answer.status_code, None if isinstance(found, Refused) else found)

    def _told(self, answer: _Answer) -> dict[str, Any]:
        if answer.said is not None and answer.status == httpx.codes.OK:
            return answer.said
        error = answer.said.get("error") if answer.said else None
        code, message = (error.get("code"), error.get("message")) if isinstance(error, dict) else (None, None)
        exits = UNREACHABLE if answer.status in _AGAIN else REFUSED
        if not isinstance(code, str) or not isinstance(message, str):
            raise Fault(f"{self.url}: not the answer of a gateway's console (status {answer.status})", UNREACHABLE)
        raise Fault(f"{message} ({code})", exits, code)


def opened(url: str, token_file: Path | None) -> Console:
    """The console at an address, with the bearer that `token_file` holds, or else the environment; raises Fault."""
    return Console(url, bearer(token_file))


def bearer(token_file: Path | None) -> str:
    """The caller's own bearer; raises Fault, which never quotes it."""
    if token_file is None:
        said, where = os.environ.get(TOKEN, ""), TOKEN
        if not said.strip():
            raise Fault(f"no bearer: set {TOKEN}, or name a file with --token-file (`-` is standard input)", USAGE)
    else:
        said, where = _read(token_file), str(token_file)
    found = said.strip()
    # One line of visible ASCII: what else a header would make of it is nobody's bearer.
    if not found or len(found) > MOST_BEARER or any(not "!" <= each <= "~" for each in found):
        raise Fault(f"{where}: this is no bearer", USAGE)
    return found


def _read(path: Path) -> str:
    try:
        if str(path) == "-":
            raw = sys.stdin.buffer.read(MOST_BEARER + 2)
        else:
            with path.open("rb") as file:
                raw = file.read(MOST_BEARER + 2)
    except OSError as error:
        raise Fault(f"{path}: {(error.strerror or 'cannot be read').lower()}", USAGE) from None
    return raw.decode("utf-8", "replace")


def as_json(document: Mapping[str, Any]) -> str:
    """For programs: JSON in ASCII, in which nothing moves a terminal's cursor."""
    return json.dumps(document, indent=2)

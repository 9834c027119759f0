"""The command `phigate deploy`: a pipeline asks for a deployment, waits for the yes, and deploys.

- Nothing is changed before the yes: the question goes on to no model, and no command runs.
- Who gives up takes the ticket back, so that no yes comes to a pipeline that is gone.
- The exit code is that of what was run, or one of this file's own.
"""

from __future__ import annotations

import re
import signal
import time
from contextlib import contextmanager, suppress
from pathlib import Path  # noqa: TC003 -- typer reads the signatures here
from typing import TYPE_CHECKING, Annotated, Final

import typer

from phigate.access.deployment import deployment_of
from phigate.exchange import ID
from phigate.remote import call as calls
from phigate.remote import running
from phigate.remote.bearers import Bearers
from phigate.remote.client import REFUSED, UNREACHABLE, USAGE, ConsoleUrl, Fault, TokenFile
from phigate.remote.log import line
from phigate.remote.waiting import Patience, asked, settled, wait
from phigate.terminal import err, fail

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import FrameType
    from typing import Any

    from phigate.remote.call import Call

FAILED: Final = 1
"""It was let through, and did not succeed."""
NO: Final = 120
"""Somebody said no, or took it back, or the policy does not permit it."""
LATE: Final = 121
"""Nobody said yes in time."""
UNSETTLED: Final = 122
"""The gateway could not be reached, or could not settle it."""
_TIME: Final = re.compile(r"(?=.)(?:PT(?=.)(?:(\d{1,3})H)?(?:(\d{1,5})M)?(?:(\d{1,6})S)?|(\d{1,6}))", re.ASCII)
_DECIDED: Final = frozenset({"approval-required", "grant-spent", "no-rule", "denied", "bearer-refused"})
"""Why a request was not let through, so that it neither succeeded nor failed."""
_ENDED: Final = {
    "rejected": (NO, "somebody said no"),
    "revoked": (NO, "the request, or the yes to it, was taken back"),
    "used": (NO, "the yes has been used already"),
    "expired": (LATE, "nobody said yes while the ticket was open"),
    "late": (LATE, "nobody said yes in time; the request is taken back"),
}


class _Left(Exception):  # noqa: N818 -- somebody wants this to end
    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


def deploy(  # noqa: PLR0917 -- options
    model: Annotated[str, typer.Option("--model", help="The model, by the name that callers use.")],
    version: Annotated[str, typer.Option("--version", help="Which version of it.")],
    digest: Annotated[str, typer.Option("--digest", help="The digest of what it is made of: HEX, or sha256:HEX.")],
    console: ConsoleUrl,
    call: Annotated[
        str | None, typer.Option("--call", metavar="'METHOD /path'", help="The request that changes the model.")
    ] = None,
    body: Annotated[Path | None, typer.Option("--body", help="A file with its JSON.")] = None,
    url: Annotated[str | None, typer.Option("--url", envvar="PHIGATE_URL", help="The gateway, for `--call`.")] = None,
    token_file: TokenFile = None,
    audience: Annotated[
        str | None,
        typer.Option("--audience", envvar="PHIGATE_AUDIENCE", help="GitHub Actions: fetch bearers for this audience."),
    ] = None,
    reason: Annotated[str | None, typer.Option("--reason", help="Why; approvers see it, masked.")] = None,
    timeout: Annotated[str, typer.Option("--timeout", help="Wait so long at most: PT1H, or seconds.")] = "PT1H",
    command: Annotated[list[str] | None, typer.Argument(help="What to run once it is approved, after `--`.")] = None,
) -> None:
    """Ask for a deployment, wait for the yes, then send the request or run the command.

    Ends with the code of what was run; 1 when the request failed, 120 on a no, 121 when nobody said yes in time, 122
    when the gateway could not settle it, 2 when it cannot be asked so.
    """
    try:
        patience = Patience(time.monotonic() + _seconds(timeout))
        stated = {"model": model, "version": version, "digest": digest}
        stated["justification"] = reason or f"deploy {model} {version}"
        one = _Deployment(console.rstrip("/"), Bearers(token_file, audience), patience, stated)
        made = _call(call, body, url, stated)
        _known(stated)
        _something(made, command)
        with _leaving():
            code = one.by_call(made, command) if made else one.by_statement(command or [])
    except _Left as left:
        raise typer.Exit(128 + left.number) from None
    except Fault as fault:
        raise fail(line(fault.sentence).plain, _code(fault)) from None
    raise typer.Exit(code)


def _code(fault: Fault) -> int:
    if fault.exits == USAGE:
        return USAGE
    # Of a bearer that is over nobody said no.
    unsettled = fault.exits == UNREACHABLE or fault.code in {"bearer-refused", "bearer-missing"}
    return UNSETTLED if unsettled else NO


class _Deployment:
    """One deployment; `stated` is what the console is told of it."""

    def __init__(self, console: str, bearers: Bearers, patience: Patience, stated: Mapping[str, str]) -> None:
        self._console, self._bearers, self._patience, self._stated = console, bearers, patience, stated

    def by_call(self, call: Call, command: list[str] | None) -> int:
        """Ask with the request itself; then send it, or run what does."""
        ticket = settled(self._patience, lambda: calls.ask(call, self._bearers.now()))
        if ticket is not None and (code := self._waited(ticket)):
            return code
        if not command:
            return self._sent(call)
        known = {"PHIGATE_URL": call.url, "PHIGATE_TOKEN": self._bearers.now(), "PHIGATE_TICKET": ticket or ""}
        return self._run(command, known)

    def _sent(self, call: Call) -> int:
        try:
            settled(self._patience, lambda: calls.send(call, self._bearers.now(), _tell))
        except Fault as fault:
            if fault.code in _DECIDED or fault.exits != REFUSED:
                raise
            return self._told(FAILED, fault.sentence)
        _tell("done")
        return 0

    def by_statement(self, command: list[str]) -> int:
        """State it to the console; state it again after the yes, which uses that; run, and say how it ended."""
        said = self._state()
        ticket = said.get("ticket")
        if said.get("decision") == "hold":
            if not isinstance(ticket, str) or not ID.fullmatch(ticket):
                raise Fault(f"{self._console}: not the answer of a gateway's console", UNREACHABLE)
            if code := self._waited(ticket):
                return code
            said = self._state()
        if said.get("decision") != "permit":
            return self._told(NO, "the yes has been used already, or was taken back")
        code = self._run(command, {"PHIGATE_TICKET": str(ticket or "")})
        self._ended(said, code)
        return code

    def _state(self) -> dict[str, Any]:
        def work() -> dict[str, Any]:
            return asked(self._console, self._bearers, lambda here: here.post("/deployments", self._stated))

        return settled(self._patience, work)

    def _ended(self, said: Mapping[str, Any], code: int) -> None:
        """Put on record how it ended; that this cannot be done changes nothing about it."""
        named = {name: self._stated[name] for name in ("model", "version", "digest")}
        told = named | {"receipt": str(said.get("receipt")), "code": code}
        path = f"/deployments/{said.get('deployment')}/outcome"
        grace = Patience(time.monotonic() + 60)
        try:
            settled(grace, lambda: asked(self._console, self._bearers, lambda here: here.post(path, told)))
        except Fault as fault:
            _tell(f"how it ended could not be put on record: {fault.sentence}")

    def _waited(self, ticket: str) -> int:
        """0 once somebody said yes, else the exit code."""
        _tell(f"ticket {ticket} waits for a yes: phigate tickets show {ticket} --console {self._console}")
        try:
            outcome = wait(self._console, self._bearers, ticket, self._patience)
        except (_Left, KeyboardInterrupt):
            self._take_back(ticket)
            raise
        for each in outcome.said:
            _tell(each)
        if outcome.ended == "approved":
            return 0
        if outcome.ended == "late":
            self._take_back(ticket)
        return self._told(*_ENDED[outcome.ended])

    def _take_back(self, ticket: str) -> None:
        with suppress(Fault):  # then it waits for a day, and a yes to it is of use to this very run only
            asked(self._console, self._bearers, lambda here: here.post(f"/tickets/{ticket}/revoke"))

    def _run(self, command: list[str], known: Mapping[str, str]) -> int:
        code = running.run(command, known)
        if code in {running.NOT_FOUND, running.NOT_RUN}:
            _tell(f"{command[0]}: exit code {code}")
        return code

    @staticmethod
    def _told(code: int, sentence: str) -> int:
        _tell(sentence)
        return code


def _known(stated: Mapping[str, str]) -> None:
    if deployment_of(stated["version"], stated["digest"]) is None:
        raise Fault("--version is a short name without blanks, --digest is HEX or sha256:HEX of a whole digest", USAGE)


def _something(call: Call | None, command: list[str] | None) -> None:
    if call is None and not command:
        raise Fault("nothing to deploy: give --call, or a command after `--`", USAGE)


def _call(named: str | None, body: Path | None, url: str | None, stated: Mapping[str, str]) -> Call | None:
    if named is None:
        if body is not None:
            raise Fault("--body: only with --call", USAGE)
        return None
    if url is None:
        raise Fault("--call: needs --url, or PHIGATE_URL", USAGE)
    try:
        raw = body.read_bytes() if body is not None else None
    except OSError as error:
        raise Fault(f"{body}: {(error.strerror or 'cannot be read').lower()}", USAGE) from None
    told = f"version={stated['version']}, digest={stated['digest']}"
    try:
        headers = {"phi-justification": stated["justification"], "phi-deployment": told}
        for value in headers.values():
            value.encode("ascii")
    except UnicodeEncodeError:
        raise Fault("--reason, --version and --digest are plain ASCII where --call is used", USAGE) from None
    return calls.call_of(url, named, raw, headers)


def _seconds(text: str) -> float:
    found = _TIME.fullmatch(text)
    if found is None:
        raise Fault("--timeout: not a duration such as PT1H, and no number of seconds", USAGE)
    hours, minutes, seconds, plain_ = (int(each or 0) for each in found.groups())
    return float(hours * 3600 + minutes * 60 + seconds + plain_)


def _tell(text: str) -> None:
    err.print(line(text), soft_wrap=True)


@contextmanager
def _leaving() -> Iterator[None]:
    """While it waits, whoever ends this process ends it in order; while something runs, that is told instead."""

    def leave(number: int, _frame: FrameType | None) -> None:
        raise _Left(number)

    before = {number: signal.signal(number, leave) for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

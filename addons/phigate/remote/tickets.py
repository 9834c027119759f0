"""The commands `phigate tickets ...`: see what waits for a yes, say yes or no, take it back, review break-glass.

- Nothing is approved that was not shown in the same breath; on a terminal only after a `y`.
- They end with 0 when it was done, 1 when it was refused, 2 when it cannot be asked so, and 3 when nobody answered or
  it cannot be settled at the moment.
"""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Final, NoReturn
from urllib.parse import quote

import typer
from typer.core import TyperGroup

from phigate.audit.questions.show import plain
from phigate.exchange import ID
from phigate.remote import view
from phigate.remote.client import REFUSED, UNREACHABLE, USAGE, ConsoleUrl, Fault, TokenFile, as_json, opened
from phigate.streams import leaving_quietly
from phigate.terminal import err, fail, out, say

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from rich.console import Console as Screen
    from rich.text import Text

    from phigate.remote.client import Console

MOST_COMMENT: Final = 1000
EVERY: Final = 3.0
"""Seconds."""


class _Listing(TyperGroup):
    """Without a word of its own it lists."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args or (args[0].startswith("-") and args[0] != "--help"):
            args = ["list", *args]
        return super().parse_args(ctx, args)


tickets = typer.Typer(
    cls=_Listing,
    help="What waits for a yes: list it, show it, answer it. Asked of a running gateway, with your own bearer.",
)

Id = Annotated[str, typer.Argument(metavar="ID", help="The ticket, as `t-...`.")]
Comment = Annotated[str, typer.Option("--comment", help="What you have to say beside it; kept, masked.")]
Json = Annotated[bool, typer.Option("--json", help="Print what the console said, for programs.")]


class Verdict(StrEnum):
    """Whether it was an emergency."""

    approve = "approve"
    reject = "reject"


@tickets.command("list")
def list_tickets(
    console: ConsoleUrl,
    token_file: TokenFile = None,
    *,
    json: Json = False,
    watch: Annotated[bool, typer.Option("--watch", help="Go on: a line for each that is new, until Ctrl-C.")] = False,
) -> None:
    """List what waits for your answer, and what you asked for yourself; without the prompts."""
    with _asking(console, token_file) as here:
        if watch:
            _watch(here)
        found = here.get("/tickets")
        waiting = found.get("tickets") or []
        if json:
            _print(found)
        elif not waiting:
            say("nothing waits for you", err)
        elif out.is_terminal:
            out.print(view.tickets_table(waiting, time.time()))
        else:
            sys.stdout.writelines(f"{line}\n" for line in view.tickets_lines(waiting))


@tickets.command("show")
def show_ticket(name: Id, console: ConsoleUrl, token_file: TokenFile = None, *, json: Json = False) -> None:
    """Show one ticket with its masked prompt; that you looked is on record."""
    with _asking(console, token_file) as here:
        found = here.get(_path(name))
        if json:
            _print(found)
        else:
            _show(found, out)


@tickets.command()
def approve(
    name: Id,
    console: ConsoleUrl,
    token_file: TokenFile = None,
    comment: Comment = "",
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask again, once it is shown.")] = False,
    json: Json = False,
) -> None:
    """Show a ticket, ask, and say yes to it."""
    said = _comment(comment)
    with _asking(console, token_file) as here:
        found = here.get(_path(name))
        _show(found, err if json else out)
        if found.get("state") != "pending":
            raise Fault("This ticket is not waiting any more. (ticket-over)", REFUSED, "ticket-over")
        if not yes:
            _ask()
        _tell(here.post(_path(name, "approve"), said), json=json)


@tickets.command()
def reject(
    name: Id, console: ConsoleUrl, token_file: TokenFile = None, comment: Comment = "", *, json: Json = False
) -> None:
    """Say no to a ticket: one no is enough."""
    _say("reject", name, console, token_file, comment, json=json)


@tickets.command()
def revoke(
    name: Id, console: ConsoleUrl, token_file: TokenFile = None, comment: Comment = "", *, json: Json = False
) -> None:
    """Take back a request that waits, or the yes to it; what runs by it ends."""
    _say("revoke", name, console, token_file, comment, json=json)


@tickets.command()
def code(name: Id, console: ConsoleUrl, token_file: TokenFile = None, *, json: Json = False) -> None:
    """Get a one-time code with which you answer a ticket in mitmproxy: `phi.approve ID CODE`, within five minutes."""
    with _asking(console, token_file) as here:
        found = here.post(_path(name, "code"))
        if json:
            _print(found)
            return
        say(plain(found.get("code")).plain)
        say(f"once, for this ticket, until {view.moment(found.get('until'))}", err)


@tickets.command()
def reviews(console: ConsoleUrl, token_file: TokenFile = None, *, json: Json = False) -> None:
    """Show the uses of break-glass that wait for your review, with masked prompts; that you looked is on record."""
    with _asking(console, token_file) as here:
        found = here.get("/reviews")
        if json:
            _print(found)
            return
        for each in found.get("reviews") or ():
            _lines((*view.review_view(each), plain("")), out)
        if not found.get("reviews"):
            say("nothing waits for your review", err)


@tickets.command()
def sign(
    exchange: Annotated[str, typer.Argument(help="The exchange in which break-glass was used.")],
    verdict: Annotated[Verdict, typer.Option("--verdict", help="approve: it was an emergency; reject: it was none.")],
    console: ConsoleUrl,
    token_file: TokenFile = None,
    comment: Comment = "",
    *,
    json: Json = False,
) -> None:
    """Sign the review of a use of break-glass, once you have seen it with `phigate tickets reviews`."""
    said = _comment(comment)
    with _asking(console, token_file) as here:
        done = here.post(_path(exchange, verdict.value, kind="reviews"), said)
        _print(done) if json else say(f"signed: {verdict.value}")


def _watch(here: Console) -> NoReturn:
    """Print each ticket once; a console that does not answer is asked again, one that says no ends it."""
    seen: set[object] = set()
    gone = False
    while True:
        try:
            found = here.get("/tickets").get("tickets") or []
            gone = False
        except Fault as fault:
            if fault.exits != UNREACHABLE:
                raise
            if not gone:
                say(plain(fault.sentence).plain, err)
            found, gone = [], True
        new = [each for each in found if each.get("ticket") not in seen]
        sys.stdout.writelines(f"{line}\n" for line in view.tickets_lines(new))
        sys.stdout.flush()
        seen |= {each.get("ticket") for each in found}
        time.sleep(EVERY)


@contextmanager
def _asking(console: str, token_file: Any) -> Iterator[Console]:
    """The console; a fault ends the command with its sentence and code."""
    try:
        with leaving_quietly(), opened(console, token_file) as here:
            yield here
    except Fault as fault:
        raise fail(plain(fault.sentence).plain, fault.exits) from None


def _say(verb: str, name: str, console: str, token_file: Any, comment: str, *, json: bool) -> None:
    said = _comment(comment)
    with _asking(console, token_file) as here:
        _tell(here.post(_path(name, verb), said), json=json)


def _comment(comment: str) -> Mapping[str, str] | None:
    if not comment:
        return None
    if len(comment) > MOST_COMMENT or not comment.isprintable():
        raise fail(f"--comment: one line of at most {MOST_COMMENT} characters", USAGE)
    return {"comment": comment}


def _path(name: str, verb: str = "", *, kind: str = "tickets") -> str:
    if not ID.fullmatch(name):
        raise Fault("this is no id", USAGE)
    return f"/{kind}/{quote(name)}" + (f"/{verb}" if verb else "")


def _show(ticket: Mapping[str, Any], where: Screen) -> None:
    _lines(view.ticket_view(ticket, time.time()), where)


def _lines(texts: Iterable[Text], where: Screen) -> None:
    for text in texts:
        for line in view.folded(text, where):
            where.print(line, soft_wrap=True)


def _ask() -> None:
    """Wait for a `y` on a terminal; raises Fault for anything else."""
    if not sys.stdin.isatty():
        raise Fault("nobody can be asked here: --yes says yes to what was shown", USAGE)
    say("", err)
    if not typer.confirm("Approve this?", err=True):
        raise Fault("not approved", REFUSED)


def _tell(ticket: Mapping[str, Any], *, json: bool) -> None:
    if json:
        _print(ticket)
        return
    state = ticket.get("state")
    if state == "approved":
        say(plain(f"approved: {view.gives(ticket.get('grant'))}, {view.left(ticket, time.time())}").plain)
    else:
        say(plain(f"{state}: {view.given(ticket)} said yes" if state == "pending" else state).plain)


def _print(document: Mapping[str, Any]) -> None:
    sys.stdout.write(as_json(document) + "\n")

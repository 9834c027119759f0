"""The command `phigate replay`."""

from __future__ import annotations

import signal
import time
from contextlib import closing
from typing import TYPE_CHECKING, Annotated, Final

import typer

from phigate.audit import look
from phigate.audit.questions import replay
from phigate.audit.questions.asking import JOURNAL, JournalFolder, asked
from phigate.audit.questions.page import Page
from phigate.audit.questions.times import written
from phigate.streams import leaving_quietly
from phigate.terminal import fail, out

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from rich.text import Text

    from phigate.audit.questions.replay import Step

TOLD: Final = 1.0
"""Seconds from which a pause that is cut short is told."""
_UNITS: Final = ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))


def replay_session(
    session: Annotated[str, typer.Argument(help="The id of a session, or of one exchange.")],
    journal: JournalFolder = JOURNAL,
    *,
    speed: Annotated[float, typer.Option(min=0, help="So many times as fast as it was; 0 is at once.")] = 1.0,
    longest_pause: Annotated[
        float, typer.Option("--longest-pause", min=0, help="Seconds after which a silence is cut short, and said.")
    ] = 5.0,
) -> None:
    """Replay a session in its own rhythm: who asked what, how it was decided, what was answered, all of it masked.

    Streamed answers come in the parts in which they were let go. Ctrl-C ends it.
    """
    with leaving_quietly(), asked(journal) as index:
        wanted = replay.session_of(index, session)
        if wanted is None:
            raise fail("the journal knows no exchange and no session of this id")
        about = {"session": session} if wanted.session else {"exchange": session}
        look.note_or_say(journal, "replay", about)
        with closing(replay.steps(index, wanted)) as steps:
            play(steps, Page(_write, out.width), speed=speed, longest=longest_pause)


def _write(text: Text) -> None:
    """Put a piece on the terminal; Ctrl-C waits until it is there, or rich would print nothing any more."""
    was = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        out.print(text, end="", soft_wrap=True, highlight=False)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, was)


def play(
    steps: Iterable[Step],
    page: Page,
    *,
    speed: float,
    longest: float,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Put each step on the page when its time has come."""
    now: float | None = None
    turn: tuple[str, str] | None = None
    try:
        for step in steps:
            if now is None:
                page.aside(f"{written(step.at)} UTC")
                page.aside("")
            elif (gap := step.at - now) > 0:
                if gap > longest and gap >= TOLD:
                    page.aside(f"{_length(gap)} later", "dim italic")
                    page.aside("")
                    turn = None
                if speed:
                    sleep(min(gap, longest) / speed)
            now = max(now or step.at, step.at)
            turn = _put(step, page, turn)
        page.end()
    finally:
        page.break_off()


def _put(step: Step, page: Page, turn: tuple[str, str] | None) -> tuple[str, str] | None:
    """The turn that the page shows then: (exchange, side)."""
    if step.side == replay.ASIDE:
        for text, style in step.notes:
            page.aside(f"{_clock(step.at)} {text}", style)
        page.aside("")
        return None
    own = (step.exchange, step.side)
    if turn != own or not step.goes_on:
        page.end()
        who = "" if step.side == replay.CALLER else "the model"
        again = f" {step.exchange} goes on" if step.goes_on and step.said else ""
        page.note([(f"{_clock(step.at)} {who}{again}".rstrip(), "bold")])
    page.note(step.notes)
    for who, text in step.said:
        if who:
            page.say(f"{who}:\n", "bold")
        page.say(text if step.goes_on or step.side == replay.MODEL else f"{text}\n")
    return own


def _clock(at: float) -> str:
    return written(at)[11:]


def _length(seconds: float) -> str:
    """Two units at most: `2 hours 14 minutes`."""
    told, left = [], round(seconds)
    for size, name in _UNITS:
        n, left = divmod(left, size)
        if n:
            told.append(f"{n} {name}{'s' if n > 1 else ''}")
    return " ".join(told[:2])

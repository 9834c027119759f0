"""`phigate quarantine`: take a damaged or missing file out of the journal, whole and on record."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import Annotated

import typer

from phigate.journal import quarantine as aside
from phigate.journal.disk import JournalFault
from phigate.terminal import fail, say

REASON_LENGTH = 500


def quarantine(
    file: Annotated[Path, typer.Argument(help="The journal's file that a start complained of.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; it will stand in the journal.")],
) -> None:
    """Take a damaged file out of the journal, while no gateway writes it.

    It is moved into the folder `quarantine` beside it, never deleted. The next start records its name, SHA-256, size
    and the reason, and goes on behind it: the numbers of its records are not given out again. Of a file that is gone
    only its absence is recorded.
    """
    if not reason.strip() or len(reason) > REASON_LENGTH:
        raise fail(f"--reason: a text of at most {REASON_LENGTH} characters is needed", 2)
    try:
        taken = aside.take_out(file, reason)
    except JournalFault as fault:
        raise fail(str(fault)) from None
    except OSError as fault:
        raise fail(f"{file}: {fault.strerror or type(fault).__name__}") from None
    if taken.bytes is None:
        said = f"{taken.file} is missing; the next start records that"
    else:
        where = file.parent / aside.FOLDER
        said = f"{taken.file} stands in {where} ({taken.bytes} bytes, SHA-256 {taken.sha256 or 'unknown'}); "
        said += "the next start records that"
    say(said)

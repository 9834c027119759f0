"""The command `phigate verify`: a folder's journal proven offline, by what the auditor holds."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from pathlib import Path  # noqa: TC003 - typer reads the annotations at run time
from typing import TYPE_CHECKING, Annotated, Final

import orjson
import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from phigate.audit.proof import verdicts
from phigate.audit.questions.show import plain
from phigate.journal import folder as evidence
from phigate.journal.note import NoteFault
from phigate.journal.proof import verdict_of
from phigate.terminal import err, fail, out

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from phigate.journal.note import Vkey
    from phigate.journal.proof import Proof

CODES: Final = {"holds": 0, "broken": 1, "untold": 2}
"""What the command ends with."""


def verify(
    folder: Annotated[Path, typer.Argument(help="The folder of the journal, or a read-only copy of it.")],
    key: Annotated[
        list[Path] | None, typer.Option("--key", help="A public key (`*.journal.pub`), from elsewhere than this host.")
    ] = None,
    anchor: Annotated[
        list[Path] | None, typer.Option("--anchor", help="A file with checkpoints that were kept elsewhere.")
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of words.")] = False,
) -> None:
    """Prove a journal from its files alone, and say what is proven and what is not.

    Ends with 0 when all of it holds, 1 when anything was changed, removed or damaged, 2 when that cannot be told.
    Nothing is written, and no gateway is asked.
    """
    keys = [each for path in key or [] for each in keys_of(path)]
    proofs = proven(folder, keys, anchor or [])
    if as_json:
        sys.stdout.buffer.write(orjson.dumps(verdicts.as_json(proofs), option=orjson.OPT_APPEND_NEWLINE))
    else:
        for line in verdicts.told(proofs, anchored=bool(anchor)):
            out.print(plain(line.replace("\n", " "), "bold red" if line.startswith("  FOUND") else ""), soft_wrap=True)
    raise typer.Exit(CODES[verdict_of(proofs)])


def keys_of(path: Path) -> list[Vkey]:
    """The keys in a file; ends the command with 2 when there is none."""
    try:
        return evidence.keys_in(path)
    except NoteFault as fault:
        raise fail(f"{path}: {fault}", 2) from None
    except OSError as fault:
        raise fail(f"{path}: {(fault.strerror or 'cannot be read').lower()}", 2) from None


def proven(folder: Path, keys: Sequence[Vkey], anchors: Sequence[Path] = ()) -> list[Proof]:
    """Prove a folder, with a bar for whoever watches; ends the command with 2 when it cannot be read."""
    try:
        with _bar(folder) as advance:
            return evidence.prove(folder, keys, anchors, advance)
    except OSError as fault:
        raise fail(f"{fault.filename or folder}: {(fault.strerror or 'cannot be read').lower()}", 2) from None


@contextmanager
def _bar(folder: Path) -> Iterator[Callable[[int], None]]:
    if not err.is_terminal:
        yield lambda _bytes: None
        return
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(TextColumn("proving the journal"), *columns, console=err, transient=True) as bar:
        task = bar.add_task("", total=evidence.size_of(folder).bytes)
        yield lambda size: bar.advance(task, size)

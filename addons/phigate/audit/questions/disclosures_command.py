"""The command `phigate disclosures`."""

from __future__ import annotations

import csv
import io
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer
from rich.table import Table

from phigate.audit import look
from phigate.audit.index.exchanges import Wanted
from phigate.audit.questions import disclosures, show, who_saw
from phigate.audit.questions.about import SECRETS, VISIBLE, EntityOf, SecretsOf, asked_about, warn_of_keys
from phigate.audit.questions.asking import JOURNAL, AsJson, JournalFolder, Since, Until, asked, span
from phigate.audit.questions.disclosures import COLUMNS, PERIOD, Account
from phigate.streams import STDIN, StreamFault, leaving_quietly, output
from phigate.terminal import POLICY, PolicyFile, err, fail, out, say

if TYPE_CHECKING:
    from collections.abc import Iterator


def account_of_disclosures(
    patient: Annotated[
        list[str],
        typer.Option("--patient", help=f'What names the patient, such as "MRN 00123456"; repeatable. {VISIBLE}'),
    ],
    journal: JournalFolder = JOURNAL,
    *,
    policy: PolicyFile = POLICY,
    secrets: SecretsOf = SECRETS,
    entity: EntityOf = None,
    since: Since = None,
    until: Until = None,
    only_accountable: Annotated[
        bool, typer.Option("--only-accountable", help="Leave out treatment, payment and operations, and say how many.")
    ] = False,
    model_server: Annotated[
        bool, typer.Option("--model-server", help="List what the model server received, too.")
    ] = False,
    file: Annotated[str | None, typer.Option("-o", "--output", help="Write CSV here; `-` is standard output.")] = None,
    reason: Annotated[str | None, typer.Option(help="Why you ask, for the record.")] = None,
    as_json: AsJson = False,
) -> None:
    """Account for the disclosures of a patient's identifiers (45 CFR 164.528): when, to whom, what, for what purpose.

    Without --since it goes back six years. What it does not hold is said on standard error. It holds what passed this
    gateway: other systems account for theirs.
    """
    found_of = asked_about(patient, policy, secrets, entity)
    start, end = span(since, until)
    if start is None:
        start = (datetime.now(UTC) - PERIOD).timestamp()
    account = Account()
    with leaving_quietly(), asked(journal) as index:
        look.note_or_say(journal, "disclosures", {"identifiers": sorted(found_of.named)}, reason)
        warn_of_keys(index, secrets)
        found = who_saw.seen(index, found_of.identifiers, Wanted(since=start, until=end))
        rows = disclosures.rows(found, account, exempt=not only_accountable, model_server=model_server)
        if as_json:
            for row in rows:
                sys.stdout.buffer.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
            sys.stdout.buffer.flush()
        elif file is not None:
            _write(rows, None if file == STDIN else Path(file))
        else:
            table = _table(rows)
            if table.row_count:
                out.print(table)
    for line in disclosures.told(account, exempt=not only_accountable, model_server=model_server):
        say(line, err)


def _write(rows: Iterator[dict[str, Any]], file: Path | None) -> None:
    try:
        with output(file) as raw:
            text = io.TextIOWrapper(raw, encoding="utf-8", newline="", write_through=True)
            writing = csv.writer(text)
            writing.writerow(COLUMNS)
            writing.writerows([cell(row[name]) for name in COLUMNS] for row in rows)
            text.flush()
            text.detach()
    except StreamFault as fault:
        raise fail(str(fault)) from None


def cell(value: object) -> str:
    """A cell that no spreadsheet takes for a formula: names of people and models are others' words."""
    text = str(value)
    return f"'{text}" if text.lstrip().startswith(("=", "+", "-", "@")) or text.startswith(("\t", "\r", "\n")) else text


def _table(rows: Iterator[dict[str, Any]]) -> Table:
    table = Table(show_lines=True)
    for name in ("date (UTC)", "recipient", "what, purpose"):
        table.add_column(name, overflow="fold")
    for row in rows:
        exempt = f"{row['purpose'] or 'no purpose on record'}{' (exempt)' if row['exempt'] else ''}"
        cells = (
            (row["date"].replace("T", " ")[:16],),
            (row["recipient"], row["recipient_roles"], row["address"]),
            (row["what"], exempt, row["exchange"]),
        )
        table.add_row(*(show.plain("\n".join(filter(None, values))) for values in cells))
    return table

"""The commands `phigate sessions` and `phigate show`."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from phigate.audit import look
from phigate.audit.index.exchanges import Wanted, exchanges, records
from phigate.audit.questions import sessions, show
from phigate.audit.questions.asking import JOURNAL, AsJson, JournalFolder, Since, Until, asked, span
from phigate.streams import leaving_quietly
from phigate.terminal import err, fail, out, say

if TYPE_CHECKING:
    from phigate.audit.index.database import Index


def list_sessions(
    journal: JournalFolder = JOURNAL,
    *,
    subject: Annotated[str | None, typer.Option(help="Only this subject's.")] = None,
    role: Annotated[str | None, typer.Option(help="Only of those who had this role.")] = None,
    model: Annotated[str | None, typer.Option(help="Only exchanges with this model, as the policy names it.")] = None,
    action: Annotated[str | None, typer.Option(help="Only this action, such as chat.")] = None,
    verb: Annotated[str | None, typer.Option(help="Only so decided: permit, hold, deny, break_glass.")] = None,
    rule: Annotated[str | None, typer.Option(help="Only decided by this rule.")] = None,
    reason: Annotated[str | None, typer.Option(help="Only refused or held for this reason, such as no-rule.")] = None,
    entity: Annotated[str | None, typer.Option(help="Only where such an identifier was found, such as MRN.")] = None,
    outcome: Annotated[str | None, typer.Option(help="Only with this end, such as complete or client-left.")] = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the latest.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List the sessions in the journal, the latest first, with the figures of the exchanges that are asked for."""
    start, end = span(since, until)
    wanted = Wanted(
        subject=subject,
        role=role,
        model=model,
        action=action,
        verb=verb,
        rule=rule,
        reason=reason,
        entity=entity,
        outcome=outcome,
        since=start,
        until=end,
    )
    with leaving_quietly(), asked(journal) as index:
        filters = {name: value for name, value in asdict(wanted).items() if value is not None}
        look.note_or_say(journal, "sessions", {"filters": filters, "limit": limit})
        found, more = sessions.latest(index, wanted, limit)
        if as_json:
            for summary in found:
                sys.stdout.buffer.write(orjson.dumps(summary, option=orjson.OPT_APPEND_NEWLINE))
            sys.stdout.buffer.flush()
        elif found:
            out.print(show.sessions_table(found))
        else:
            say("no session in the journal is like that", err)
        if more:
            say(f"these are the latest {limit}; there are more (--limit)", err)


def show_exchange(
    exchange: Annotated[str, typer.Argument(help="The id from the header `phi-exchange`, or of a session.")],
    journal: JournalFolder = JOURNAL,
) -> None:
    """Show one exchange: who, what, the decision, what was found, and both sides as the journal holds them.

    The id of a session lists its exchanges.
    """
    with leaving_quietly(), asked(journal) as index:
        if found := records(index, exchange):
            look.note_or_say(journal, "show", {"exchange": exchange})
            out.print(show.exchange_view(found))
        elif rows := list(exchanges(index, Wanted(session=exchange))):
            look.note_or_say(journal, "show", {"session": exchange})
            out.print(show.exchanges_table((row, _found(index, row["id"])) for row in rows))
        else:
            raise fail("the journal knows no exchange and no session of this id")


def _found(index: Index, exchange: int) -> dict[str, int]:
    rows = index.rows("SELECT entity, sum(n) FROM found WHERE exchange_id = ? GROUP BY entity", (exchange,))
    return {entity: n for entity, n in rows}  # noqa: C416 -- a Row is no pair to a checker of types

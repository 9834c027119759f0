"""The command `phigate who-saw`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import orjson
import typer
from rich.console import Group
from rich.table import Table

from phigate.audit import look
from phigate.audit.index.exchanges import Wanted
from phigate.audit.questions import show, who_saw
from phigate.audit.questions.about import SECRETS, VISIBLE, EntityOf, SecretsOf, asked_about, warn_of_keys
from phigate.audit.questions.asking import JOURNAL, AsJson, JournalFolder, Since, Until, asked, span
from phigate.audit.questions.who_saw import WAYS
from phigate.streams import leaving_quietly
from phigate.terminal import POLICY, PolicyFile, err, out, say

if TYPE_CHECKING:
    from rich.console import RenderableType

    from phigate.audit.questions.who_saw import Person


def who_saw_it(
    texts: Annotated[
        list[str],
        typer.Argument(metavar="TEXT...", help=f'What names the patient, such as "MRN 00123456". {VISIBLE}'),
    ],
    journal: JournalFolder = JOURNAL,
    *,
    policy: PolicyFile = POLICY,
    secrets: SecretsOf = SECRETS,
    entity: EntityOf = None,
    since: Since = None,
    until: Until = None,
    each: Annotated[int, typer.Option(min=0, help="The latest exchanges of each person that are shown.")] = 3,
    reason: Annotated[str | None, typer.Option(help="Why you ask, for the record.")] = None,
    as_json: AsJson = False,
) -> None:
    """Tell who saw a patient's identifiers: as they were or masked, when, why and under which rule.

    The texts are read as a prompt would be; each identifier in them counts, however it was written. In JSON every
    exchange is a line of its own. What is asked is on record by its keyed identifiers, not in clear.
    """
    patient, (start, end) = asked_about(texts, policy, secrets, entity), span(since, until)
    with leaving_quietly(), asked(journal) as index:
        look.note_or_say(journal, "who-saw", {"identifiers": sorted(patient.named)}, reason)
        warn_of_keys(index, secrets)
        found = who_saw.seen(index, patient.identifiers, Wanted(since=start, until=end))
        if as_json:
            for one in found:
                sys.stdout.buffer.write(orjson.dumps(one.as_json(), option=orjson.OPT_APPEND_NEWLINE))
            sys.stdout.buffer.flush()
            return
        people = who_saw.people(found, each)
        if not people:
            say("nobody: no record holds such an identifier", err)
        for person in people:
            out.print(view(person, several=len(set(patient.identifiers.values())) > 1))


def view(person: Person, *, several: bool = False) -> RenderableType:
    """One person: how often they saw it in which way, then their latest exchanges."""
    head = show.plain(person.subject, "bold")
    head.append_text(show.plain(f" of {person.issuer}, {', '.join(sorted(person.roles)) or 'no role'}"))
    told = [f"{WAYS[way]}: {person.ways[way]}" for way in WAYS if person.ways[way]]
    span_ = f"{_moment(person.first)} to {_moment(person.last)} (UTC)"
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    for width in (16, 27, None):
        table.add_column(width=width, overflow="fold")
    for one in reversed(person.latest):
        row = one.row
        ways = [f"{WAYS[way]} ({', '.join(sorted(one.ways[way]))})" for way in WAYS if way in one.ways]
        texts = [f"text {', '.join(map(str, sorted(one.texts)))}"] if several else []
        why = " ".join(
            f"{label} {value}"
            for label, value in (("for", row["purpose"]), ("by rule", row["rule"]), ("because", row["reason"]))
            if value
        )
        told_of = (
            *ways,
            *texts,
            f"{row['verb'] or '?'} {why}".rstrip().replace("\n", " "),
            f"model {row['model']}".replace("\n", " ") if row["model"] else "",
        )
        ids = (row["exchange"], row["session"] or "")
        table.add_row(*(show.plain("\n".join(filter(None, cell))) for cell in ((_moment(row["ts"]),), ids, told_of)))
    left = person.exchanges - len(person.latest)
    more = [show.plain(f"and {left} earlier (--each, --json)", "dim")] if left and person.latest else []
    return Group(head, show.plain("; ".join(told)), show.plain(span_, "dim"), table, *more, show.plain(""))


def _moment(ts: str) -> str:
    return ts.replace("T", " ")[:16]

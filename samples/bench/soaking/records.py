"""Whether every exchange is on record: what callers saw, held against the journal after the end.

- An id that a caller was told has exactly one `request`, unless nobody was believed to ask (401): those are counted,
  and the counts of the `refused` records are the number of such answers. Whose bearer was taken back while the model
  was at work gets 401 as well, and has both records.
- A request that went on to a model has exactly one `response`, all others none; there is no response without request.
- The `response` says the status that the caller saw.
- What is on record and was told to nobody is no more than what left, was answered 502 without an id (the model hung
  up), or came behind the first message of a gRPC stream, of which only one id is told.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from phigate.journal import read

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path


@dataclass(slots=True)
class Kept:
    """What the journal holds of one exchange."""

    requests: int = 0
    responses: int = 0
    """But for those that say that an answer, on record already, was withheld after all (`unrecorded`)."""
    permitted: bool = False
    status: int = 0
    outcome: str = ""


@dataclass(slots=True)
class Journal:
    """What the journal holds in all."""

    exchanges: dict[str, Kept] = field(default_factory=dict)
    records: Counter[str] = field(default_factory=Counter)
    """By kind."""
    outcomes: Counter[str] = field(default_factory=Counter)
    """Of requests by verb and reason, of responses by outcome."""
    refused: int = 0
    flaws: int = 0


@dataclass(slots=True)
class Told:
    """What callers saw in all."""

    ids: dict[str, tuple[int, bool, str]] = field(default_factory=dict)
    """Status, whether the answer came to its end, and the act."""
    twice: int = 0
    untold: int = 0
    """The most exchanges that can be on record without anybody having been told their ids."""
    messages: tuple[int, int] = (0, 0)
    """Of gRPC streams, beyond the first ones: how many were answered, and how many were sent."""
    acts: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)


def journal_of(folder: Path) -> Journal:
    held = Journal()
    for record in _records(folder, held):
        held.records[record["kind"]] += 1
        if record["kind"] == "refused":
            held.refused += record["count"]
        if record["kind"] not in {"request", "response"}:
            continue
        kept = held.exchanges.setdefault(record["exchange"], Kept())
        if record["kind"] == "request":
            decision = record["decision"]
            kept.requests += 1
            kept.permitted = decision["verb"] == "permit" and not decision["reason"]
            held.outcomes[f"{decision['verb']} {decision['reason'] or ''}".strip()] += 1
        else:
            kept.responses += not (kept.responses and record["outcome"] == "unrecorded")
            kept.status, kept.outcome = record["status"], record["outcome"]
            held.outcomes[f"answer {record['outcome']}"] += 1
    return held


def _records(folder: Path, held: Journal) -> Iterator[dict[str, Any]]:
    for file in read.files(folder):
        for entry in read.entries(file.path):
            if isinstance(entry, read.Flaw):
                held.flaws += 1
            else:
                yield entry.record


def told_in(lines: Iterable[str]) -> Told:
    told = Told()
    for line in lines:
        row = json.loads(line)
        told.acts[row["act"]] += 1
        if row["fault"]:
            told.faults[f"{row['act']}: {row['fault']}"] += 1
        answered, sent = told.messages
        told.messages = answered + max(0, row["messages"] - 1), sent + row["sent"] - 1
        told.untold += row["sent"] - 1
        if not row["exchange"]:
            told.untold += row["status"] in {0, 502}
        elif row["exchange"] in told.ids:
            told.twice += 1
        else:
            told.ids[row["exchange"]] = row["status"], row["whole"], row["act"]
    return told


def amiss(told: Told, held: Journal) -> dict[str, list[str]]:
    """What does not fit, by what is wrong: the exchanges, or what stands for them; nothing where all of it does."""
    found: defaultdict[str, list[str]] = defaultdict(list)

    def check(wrong: bool, name: str, what: str) -> None:
        if wrong:
            found[name].append(what)

    unbelieved = 0
    for exchange, (status, whole, act) in told.ids.items():
        kept, what = held.exchanges.get(exchange, Kept()), f"{exchange} {act} {status}"
        if status == 401 and kept.outcome != "revoked":
            unbelieved += 1
            check(bool(kept.requests), "requests on record of somebody who was not believed", what)
        else:
            check(kept.requests != 1, "answers whose request is not on record once", what)
        other = whole and kept.responses > 0 and kept.status != status
        check(other, "answers that are not on record as they were", f"{what}, {kept.status}")
    for exchange, kept in held.exchanges.items():
        what = f"{exchange} {told.ids.get(exchange, ('', '', 'told to nobody'))[2]}"
        check(kept.permitted and kept.responses != 1, "requests that went on without one answer on record", what)
        check(kept.responses > 0 and not kept.permitted, "answers on record without a request that went on", what)
    unknown = sorted(held.exchanges.keys() - told.ids.keys())
    if len(unknown) > told.untold:
        found["exchanges on record that nobody asked"] = unknown
    for wrong, name in (
        (held.flaws, "lines of the journal that are no records"),
        (told.twice, "ids that were told twice"),
        (abs(unbelieved - held.refused), "refused bearers that were not counted"),
        (told.messages[0] - len(unknown), "messages of streams that are not on record"),
    ):
        check(wrong > 0, name, str(wrong))
    return dict(found)

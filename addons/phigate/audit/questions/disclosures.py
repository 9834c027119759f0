"""The accounting of disclosures (45 CFR 164.528): to whom a patient's identifiers were shown as they were.

Each row is one exchange and one recipient: the person who asked, where the answer showed an identifier; or the model
server, where the prompt did. What was shown masked is no row. Rules:

- Everything is listed. A column says what an accounting need not list: what was for treatment, payment or operations
  (164.528(a)(1)(i)). Whoever asks may leave these out, and is told how many there are. A purpose that is not on record,
  or is joined with another one, exempts nothing.
- The model server is a row only on demand: run by the organisation itself or by a business associate on its behalf it
  is no recipient of a disclosure. How many times it received something is told.
- Records that do not say what was shown are counted and told, never guessed at.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from phigate.audit.questions.sessions import names
from phigate.audit.questions.who_saw import MODEL, RECEIVED, UNTOLD

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from phigate.audit.questions.who_saw import Seen

EXEMPT: Final = frozenset({"treatment", "payment", "operations"})
"""45 CFR 164.528(a)(1)(i), by the purpose on record."""
PERIOD: Final = timedelta(days=6 * 365 + 2)
"""Six years before the request (45 CFR 164.528(a)(1)), with the leap days that are in any of them."""
NO_RECIPIENT: Final = "it is run by the organisation, or for it by a business associate"
COLUMNS: Final = (
    *("date", "recipient", "recipient_issuer", "recipient_roles", "address", "what", "purpose", "exempt"),
    *("rule", "verb", "model", "session", "exchange", "outcome"),
)
"""The first seven are what 164.528(b)(2) wants; the rest says where it stands in the journal."""


@dataclass(slots=True)
class Account:
    """What is told beside the rows; filled in while they are read."""

    rows: int = 0
    recipients: set[tuple[str, str]] = field(default_factory=set)
    exempt: Counter[str] = field(default_factory=Counter)
    """Of the rows about people, by purpose."""
    model: int = 0
    """Exchanges in which the model server received something as it was."""
    untold: int = 0
    """Answers of which the record does not say whether it was shown as it was."""


def rows(
    found: Iterable[Seen], account: Account, *, exempt: bool = True, model_server: bool = False
) -> Iterator[dict[str, Any]]:
    """One row a disclosure, in order of time; `exempt` False leaves those out that an accounting need not list."""
    for one in found:
        account.untold += UNTOLD in one.ways
        account.model += MODEL in one.ways
        purpose = one.row["purpose"] or ""
        if RECEIVED in one.ways:
            account.recipients.add((one.row["issuer"] or "-", one.row["subject"] or "-"))
            account.rows += 1
            if purpose in EXEMPT:
                account.exempt[purpose] += 1
            if exempt or purpose not in EXEMPT:
                yield _row(one, one.row["subject"] or "-", f"answer with {_kinds(one, RECEIVED)}")
        if model_server and MODEL in one.ways and (exempt or purpose not in EXEMPT):
            server = f"model server of {one.row['model'] or '-'}"
            yield _row(one, server, f"prompt with {_kinds(one, MODEL)}") | {
                "recipient_issuer": "", "recipient_roles": "", "address": "",
            }  # fmt: skip


def told(account: Account, *, exempt: bool, model_server: bool) -> list[str]:
    """What the accounting does and does not hold, in sentences."""
    kept = "listed, and marked" if exempt else "left out"
    server = "listed" if model_server else f"not listed (--model-server): {NO_RECIPIENT}"
    exempted = account.exempt.total()
    said = [
        f"shown as it was to a person: {account.rows} times, to {len(account.recipients)} people",
        f"for treatment, payment or operations, which 45 CFR 164.528(a)(1)(i) exempts: {exempted}, {kept}",
        f"sent to the model server as it was: {account.model} times, {server}",
    ]
    if account.untold:
        said.append(f"answers whose records do not say whether it was masked: {account.untold}, not listed (who-saw)")
    return said


def _kinds(one: Seen, way: str) -> str:
    return ", ".join(sorted(one.ways[way]))


def _row(one: Seen, recipient: str, what: str) -> dict[str, Any]:
    row = one.row
    return {
        "date": row["ts"],
        "recipient": recipient,
        "recipient_issuer": row["issuer"] or "",
        "recipient_roles": ", ".join(names(row["roles"])),
        "address": row["ip"] or "",
        "what": what,
        "purpose": row["purpose"] or "",
        "exempt": "164.528(a)(1)(i)" if row["purpose"] in EXEMPT else "",
        **{name: row[name] or "" for name in ("rule", "verb", "model", "session", "exchange", "outcome")},
    }

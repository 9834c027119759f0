"""What the gateways keep of one-time codes: who may answer one ticket where nobody can show a bearer.

- A code is kept as a digest under the gateways' key: whoever reads the database has none.
- Whoever takes a code takes it alone, by one conditional DELETE, and takes it for good, whatever comes of it.
- Of one person's codes for one ticket only the newest is kept.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, select

from phigate.exchange import Subject
from phigate.ledger.tables import CODES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import RowMapping

    from phigate.ledger.approvals import Ask
    from phigate.ledger.engines import Engines


@dataclass(frozen=True, slots=True)
class Code:
    """`subject` has no roles: what its groups give is the policy's, at the time it is asked."""

    digest: bytes = field(repr=False)
    ticket: str
    subject: Subject = field(repr=False)
    expires: float
    """Seconds since the epoch."""


class Codes:
    """The part of a Ledger that is about codes; `ask` bounds what is asked of the database, and raises LedgerDown."""

    def __init__(self, engines: Engines, ask: Ask) -> None:
        self._engines, self._ask = engines, ask

    async def keep(self, code: Code) -> None:
        """Keep a code in place of the one that this person has for this ticket."""
        who = (CODES.c.issuer == code.subject.issuer, CODES.c.subject == code.subject.id)

        async def work() -> None:
            async with self._engines.stepping.begin() as connection:
                await connection.execute(delete(CODES).where(*who, CODES.c.ticket == code.ticket))
                await connection.execute(insert(CODES).values(**_row(code)))

        await self._ask(work())

    async def take(self, digest: bytes) -> Code | None:
        """The code of this digest, for its first taker of all; None where there is none any more."""
        this = CODES.c.digest == digest

        async def work() -> Code | None:
            async with self._engines.stepping.begin() as connection:
                row = (await connection.execute(select(CODES).where(this))).mappings().first()
                took = await connection.execute(delete(CODES).where(this))
                return _code(row) if row is not None and took.rowcount else None

        return await self._ask(work())


def _row(code: Code) -> Mapping[str, Any]:
    who = code.subject
    named = {"digest": code.digest, "ticket": code.ticket, "issuer": who.issuer, "subject": who.id}
    bearer = {name: getattr(who, name) for name in _BEARER}
    return named | {"groups": json.dumps(bearer), "expires": code.expires}


def _code(row: RowMapping) -> Code:
    bearer = json.loads(row["groups"])
    subject = Subject(
        issuer=row["issuer"],
        id=row["subject"],
        groups=tuple(bearer["groups"]),
        roles=frozenset(),
        expires=row["expires"],
        jti=bearer["jti"],
        issued=bearer["issued"],
        signed_by=bearer["signed_by"],
        family=tuple((issuer, jti) for issuer, jti in bearer["family"]),
        context=tuple((name, value) for name, value in bearer["context"]),
    )
    return Code(bytes(row["digest"]), row["ticket"], subject, row["expires"])


_BEARER = ("groups", "jti", "issued", "signed_by", "family", "context")
"""What a bearer said that gives roles, stands in records, or may be taken back before the code is used."""

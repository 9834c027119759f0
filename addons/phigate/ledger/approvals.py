"""[I/O] What the gateways ask of their database about tickets, grants and reviews.

- A ticket is answered under its own lock: whoever comes second sees what the first said.
- A use is one conditional UPDATE: two gateways that spend the last use at once spend it once.
- Grants are read where they are needed and kept nowhere: what was taken back or spent counts at once, everywhere.
- Whatever goes wrong is LedgerDown, within `bounded.SECONDS`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, Protocol

from sqlalchemy import and_, exists, false, func, insert, or_, select, update

from phigate.ledger import outbox
from phigate.ledger.tables import GRANTS, REVIEWS, TICKETS, USES, VERDICTS
from phigate.ledger.tickets import OPEN, TRANSITIONS, Review, Said, Step, Ticket, before, stands
from phigate.policy.grants import Grant

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Mapping

    from sqlalchemy import RowMapping
    from sqlalchemy.ext.asyncio import AsyncConnection

    from phigate.ledger.engines import Engines
    from phigate.ledger.outbox import Tell
    from phigate.ledger.tickets import Event, Person, State

    class Ask(Protocol):
        async def __call__[T](self, work: Coroutine[Any, Any, T]) -> T: ...


KEEP: Final = 400 * 86_400.0
"""Seconds that a ticket is kept once it is over; an open review is kept until it is signed."""
MOST_PENDING: Final = 50
"""Tickets that one subject may have waiting."""
MOST_A_DAY: Final = 500
"""Tickets that one subject may open in DAY seconds: who takes them back and asks again fills no database either."""
DAY: Final = 86_400.0
MOST_LISTED: Final = 200
_NEVER: Final = 1e11


_TOLD: Final[Mapping[Event, str]] = {
    "enough": "ticket.approved",
    "reject": "ticket.rejected",
    "revoke": "ticket.revoked",
}


class _Lost(Exception):  # noqa: N818 -- ends a transaction, and is seen by nobody else
    """A grant has no use left."""


class Approvals:
    """The part of a Ledger that is about yes and no; `ask` bounds what is asked of the database."""

    def __init__(self, engines: Engines, ask: Ask, upsert: Callable[..., Any]) -> None:
        self._engines, self._ask, self._upsert = engines, ask, upsert
        self.tell: Tell = lambda _event, _about, _now: ()
        """What is kept in the outbox with what it tells; whoever sends it sets this."""

    # -- tickets ----------------------------------------------------------------------------------------------------

    async def open_ticket(self, ticket: Ticket, now: float) -> tuple[Ticket, bool] | None:
        """The ticket of this request, and whether it is new; None where the subject has, or had, too many.

        The same subject, request and rule finds the ticket that is open already; where the rule is not what it was,
        that one is over, and so is what it gave.
        """
        mine = (TICKETS.c.issuer == ticket.subject[0], TICKETS.c.subject == ticket.subject[1])
        same = (*mine, TICKETS.c.digest == ticket.digest, TICKETS.c.rule == ticket.rule, TICKETS.c.state.in_(OPEN))
        edited = (*same, func.coalesce(TICKETS.c.rule_hash, "") != (ticket.rule_hash or ""))
        theirs = GRANTS.c.ticket.in_(select(TICKETS.c.id).where(*edited))
        ends = or_(and_(*edited), and_(*mine, TICKETS.c.state.in_(OPEN), TICKETS.c.until <= now))
        lock = select(TICKETS.c.id).where(ends).order_by(TICKETS.c.id).with_for_update()
        waiting = select(func.count()).select_from(TICKETS).where(*mine, TICKETS.c.state == "pending")
        lately = select(func.count()).select_from(TICKETS).where(*mine, TICKETS.c.opened > now - DAY)
        row = self._upsert(TICKETS).values(**_row(ticket)).on_conflict_do_nothing()

        async def work() -> tuple[Ticket, bool] | None:
            async with self._engines.stepping.begin() as connection:
                # All that end here in one order: two requests of one person would else wait for each other. And the
                # ticket before its grant, as everywhere: see `spend_grants`.
                await connection.execute(lock)
                await connection.execute(update(TICKETS).where(*edited).values(until=now, telling=now))
                await connection.execute(update(GRANTS).where(theirs, GRANTS.c.expires > now).values(expires=now))
                await connection.execute(_move("lapse").where(*mine, TICKETS.c.until <= now))
                if not (known := (await connection.execute(select(TICKETS).where(*same))).mappings().first()):
                    for many, most in ((waiting, MOST_PENDING), (lately, MOST_A_DAY)):
                        if (await connection.execute(many)).scalar_one() >= most:
                            return None
                    if (await connection.execute(row)).rowcount:
                        await outbox.put(connection, self.tell("ticket.opened", ticket, now))
                        return ticket, True
                    known = (await connection.execute(select(TICKETS).where(*same))).mappings().one()
                return await _whole(connection, known), False

        return await self._ask(work())

    async def ticket(self, id_: str) -> Ticket | None:
        """One ticket with all that was said of it."""
        found = await self._tickets(TICKETS.c.id == id_)
        return found[0] if found else None

    async def pending(
        self, now: float, *, rules: Iterable[str] | None = None, own: Person | None = None
    ) -> list[Ticket]:
        """Those that wait for an answer, the newest MOST_LISTED first.

        With `rules`, those of these rules only, and of the subject `own`: what others ask for elsewhere hides none.
        """
        waiting = (TICKETS.c.state == "pending", TICKETS.c.until > now)
        if rules is None:
            return await self._tickets(*waiting)
        theirs = TICKETS.c.rule.in_(sorted(rules))
        mine = and_(TICKETS.c.issuer == own[0], TICKETS.c.subject == own[1]) if own else false()
        return await self._tickets(*waiting, or_(theirs, mine))

    async def _tickets(self, *those: Any) -> list[Ticket]:
        wanted = select(TICKETS).where(*those).order_by(TICKETS.c.opened.desc(), TICKETS.c.id).limit(MOST_LISTED)

        async def work() -> list[Ticket]:
            async with self._engines.reading.connect() as connection:
                rows = (await connection.execute(wanted)).mappings().all()
                return [await _whole(connection, row) for row in rows]

        return await self._ask(work())

    async def answer(
        self, id_: str, step: Callable[[Ticket], Step | str], now: float
    ) -> tuple[Ticket, Step] | str | None:
        """Let `step` decide what becomes of a ticket, while nobody else may; None where there is no such ticket.

        Gives the ticket as it is then. Whatever `step` gives that TRANSITIONS does not have is an error and changes
        nothing.
        """
        this = TICKETS.c.id == id_

        async def work() -> tuple[Ticket, Step] | str | None:
            async with self._engines.stepping.begin() as connection:
                await connection.execute(update(TICKETS).where(this).values(state=TICKETS.c.state))  # the lock
                row = (await connection.execute(select(TICKETS).where(this))).mappings().first()
                if row is None:
                    return None
                ticket = await _whole(connection, row)
                made = step(ticket)
                if isinstance(made, str):
                    return made
                await self._take(connection, ticket, made, now)
                row = (await connection.execute(select(TICKETS).where(this))).mappings().one()
                after = await _whole(connection, row)
                if made.event is not None and (event := _TOLD.get(made.event)):
                    await outbox.put(connection, self.tell(event, after, now))
                return after, made

        return await self._ask(work())

    async def _take(self, connection: AsyncConnection, ticket: Ticket, made: Step, now: float) -> None:
        this = TICKETS.c.id == ticket.id
        if made.said is not None:
            over = ticket.until + ticket.lasts + KEEP
            row = {"ticket": ticket.id, "expires": over, "via": made.said.via, **_said(made.said)}
            row["groups"] = json.dumps(made.said.groups)
            await connection.execute(insert(VERDICTS).values(**row))
        if made.event is not None:
            end = made.grant.expires if made.grant else None
            until = {"until": end, "expires": end + KEEP, "telling": end} if end is not None else {}
            moved = await connection.execute(_move(made.event).where(this).values(**until))
            if not moved.rowcount:
                raise ValueError("no such step")
        if made.grant is not None:
            await connection.execute(insert(GRANTS).values(**_granted(made.grant)))
        if made.event == "revoke" or made.ends:
            await connection.execute(update(GRANTS).where(GRANTS.c.ticket == ticket.id).values(revoked=now))

    # -- grants -----------------------------------------------------------------------------------------------------

    async def live_grants(self, subject: Person, now: float) -> list[Grant]:
        """A subject's grants that count now; those that are not used up by it stand first."""
        wanted = select(GRANTS).where(GRANTS.c.issuer == subject[0], GRANTS.c.subject == subject[1], *_live(now))

        async def work() -> list[Grant]:
            async with self._engines.reading.connect() as connection:
                return [_grant(row) for row in (await connection.execute(wanted)).mappings()]

        found = await self._ask(work())
        return sorted(found, key=lambda each: (each.uses is not None, each.digest is None, each.expires, each.id))

    async def spend_grants(self, ids: Iterable[str], exchange: str, now: float) -> bool:
        """Take one use of each of these grants, or of none; False where one of them does not count any more."""
        names = sorted(set(ids))  # in one order everywhere: two gateways would else wait for each other
        # The ticket before its grant, as `answer` does: whoever takes it back would else wait for us, and we for them.
        theirs = TICKETS.c.id.in_(select(GRANTS.c.ticket).where(GRANTS.c.id.in_(names)))
        lock = select(TICKETS.c.id).where(theirs).order_by(TICKETS.c.id).with_for_update()

        async def work() -> bool:
            try:
                async with self._engines.stepping.begin() as connection:
                    await connection.execute(lock)
                    for name in names:
                        await self._use(connection, name, exchange, now)
            except _Lost:
                return False
            return True

        return await self._ask(work())

    async def _use(self, connection: AsyncConnection, name: str, exchange: str, now: float) -> None:
        this = GRANTS.c.id == name
        took = await connection.execute(update(GRANTS).where(this, *_live(now)).values(uses=GRANTS.c.uses - 1))
        if not took.rowcount:
            raise _Lost
        used = {"grant_id": name, "exchange": exchange, "at": now, "expires": now + KEEP}
        await connection.execute(insert(USES).values(**used))
        spent = select(GRANTS.c.ticket).where(this, GRANTS.c.uses <= 0)
        await connection.execute(_move("use-up").where(TICKETS.c.id.in_(spent)))

    async def taken_back(self, ids: Iterable[str]) -> set[str]:
        """Which of these grants were taken back: what runs by them ends."""
        out = select(GRANTS.c.id).where(GRANTS.c.id.in_(set(ids)), GRANTS.c.revoked.is_not(None))

        async def work() -> set[str]:
            async with self._engines.reading.connect() as connection:
                return set((await connection.execute(out)).scalars())

        return await self._ask(work())

    async def news(
        self, tickets: Iterable[str], subjects: Iterable[Person], now: float
    ) -> tuple[dict[str, State], list[Grant]]:
        """How these tickets stand, and the grants of these subjects that are live now and for more than one request.

        A ticket that is not there is not in the answer; one whose grant begins later waits until then: the clock of the
        gateway where the yes was said may be ahead.
        """
        names = set(tickets)
        later = select(GRANTS.c.ticket).where(GRANTS.c.ticket.in_(names), GRANTS.c.starts > now)
        standing = select(TICKETS.c.id, TICKETS.c.state, TICKETS.c.until).where(TICKETS.c.id.in_(names))
        people = frozenset(subjects)
        ids = {subject for _, subject in people}
        given = select(GRANTS).where(GRANTS.c.subject.in_(ids), GRANTS.c.digest.is_(None), *_live(now))

        async def work() -> tuple[dict[str, State], list[Grant]]:
            async with self._engines.reading.connect() as connection:
                rows = (await connection.execute(standing)).all()
                early = set((await connection.execute(later)).scalars())
                grants = [_grant(row) for row in (await connection.execute(given)).mappings()] if ids else []
                states = {id_: stands(state, until, now) for id_, state, until in rows}
                for id_ in early & states.keys():
                    states[id_] = "pending" if states[id_] == "approved" else states[id_]
                return states, grants

        states, grants = await self._ask(work())
        return states, [each for each in grants if each.subject in people]

    # -- reviews ----------------------------------------------------------------------------------------------------

    async def open_review(self, review: Review) -> None:
        """Keep that break-glass was used, until somebody has looked at it."""
        row = {
            "exchange": review.exchange,
            "rule": review.rule,
            "issuer": review.subject[0],
            "subject": review.subject[1],
            "review_by": " ".join(review.review_by),
            "opened": review.opened,
            "shown": json.dumps(dict(review.shown)),
            "expires": _NEVER,
            "due": review.due,
        }

        async def work() -> None:
            async with self._engines.stepping.begin() as connection:
                await connection.execute(insert(REVIEWS).values(**row))
                await outbox.put(connection, self.tell("break_glass.used", review, review.opened))

        await self._ask(work())

    async def review(self, exchange: str) -> Review | None:
        """The review of one exchange."""
        found = await self._reviews(REVIEWS.c.exchange == exchange)
        return found[0] if found else None

    async def open_reviews(self) -> list[Review]:
        """Those that nobody signed, the oldest MOST_LISTED first."""
        return await self._reviews(REVIEWS.c.signed.is_(None))

    async def _reviews(self, *those: Any) -> list[Review]:
        wanted = select(REVIEWS).where(*those).order_by(REVIEWS.c.opened, REVIEWS.c.exchange).limit(MOST_LISTED)

        async def work() -> list[Review]:
            async with self._engines.reading.connect() as connection:
                return [_review(row) for row in (await connection.execute(wanted)).mappings()]

        return await self._ask(work())

    async def sign_review(self, exchange: str, said: Said) -> bool:
        """Close a review; False where it is closed already, or where there is none."""
        row = {f"signed_{name}": value for name, value in _said(said).items() if name != "at"}
        mine = update(REVIEWS).where(REVIEWS.c.exchange == exchange, REVIEWS.c.signed.is_(None))
        signing = mine.values(signed=said.at, expires=said.at + KEEP, **row)

        async def work() -> bool:
            async with self._engines.stepping.begin() as connection:
                if not (await connection.execute(signing)).rowcount:
                    return False
                row = (await connection.execute(select(REVIEWS).where(REVIEWS.c.exchange == exchange))).mappings().one()
                await outbox.put(connection, self.tell("review.signed", _review(row), said.at))
                return True

        return await self._ask(work())


def _live(now: float) -> tuple[Any, ...]:
    """Grants that count; of a ticket that was told as over none does, where a clock was put back neither."""
    return (
        GRANTS.c.revoked.is_(None),
        GRANTS.c.starts <= now,
        GRANTS.c.expires > now,
        or_(GRANTS.c.uses.is_(None), GRANTS.c.uses > 0),
        ~exists().where(TICKETS.c.id == GRANTS.c.ticket, TICKETS.c.state == TRANSITIONS["approved", "lapse"]),
    )


def _move(event: Event) -> Any:
    """What the table says, as a statement; each event leads to one state, and of a lapse it is still to be told."""
    (to,) = {after for (_, each), after in TRANSITIONS.items() if each == event}
    moved = update(TICKETS).where(TICKETS.c.state.in_(before(event))).values(state=to)
    return moved if event == "lapse" else moved.values(telling=None)


async def _whole(connection: AsyncConnection, row: RowMapping) -> Ticket:
    said = select(VERDICTS).where(VERDICTS.c.ticket == row["id"]).order_by(VERDICTS.c.at, VERDICTS.c.subject)
    every = tuple(_heard(each) for each in (await connection.execute(said)).mappings())
    return Ticket(
        subject=(row["issuer"], row["subject"]),
        actions=frozenset(row["actions"].split()),
        approvers=tuple(row["approvers"].split()),
        bound=bool(row["bound"]),
        shown=json.loads(row["shown"]),
        said=every,
        **{name: row[name] for name in _PLAIN},
    )


_PLAIN: Final = (
    *("id", "rule", "model", "digest", "exchange", "policy", "approvals", "lasts", "uses", "opened", "until", "state"),
    "rule_hash",
)


def _row(ticket: Ticket) -> Mapping[str, Any]:
    return {name: getattr(ticket, name) for name in _PLAIN} | {
        "issuer": ticket.subject[0],
        "subject": ticket.subject[1],
        "actions": " ".join(sorted(ticket.actions)),
        "approvers": " ".join(ticket.approvers),
        "bound": int(ticket.bound),
        "shown": json.dumps(dict(ticket.shown)),
        "expires": ticket.until + KEEP,
        "telling": ticket.until,
    }


def _granted(grant: Grant) -> Mapping[str, Any]:
    return {
        "id": grant.id,
        "ticket": grant.ticket,
        "rule": grant.rule,
        "issuer": grant.subject[0],
        "subject": grant.subject[1],
        "actions": " ".join(sorted(grant.actions)),
        "model": grant.model,
        "digest": grant.digest,
        "starts": grant.starts,
        "expires": grant.expires,
        "uses": grant.uses,
        "rule_hash": grant.rule_hash,
    }


def _grant(row: RowMapping) -> Grant:
    plain = ("id", "ticket", "rule", "model", "digest", "starts", "expires", "uses", "rule_hash")
    return Grant(
        subject=(row["issuer"], row["subject"]),
        actions=frozenset(row["actions"].split()),
        **{name: row[name] for name in plain},
    )


def _said(said: Said) -> Mapping[str, Any]:
    named = {"issuer": said.by[0], "subject": said.by[1]}
    return named | {"verdict": said.verdict, "comment": said.comment, "at": said.at}


def _heard(row: RowMapping) -> Said:
    groups = tuple(json.loads(row["groups"] or "[]"))
    return Said((row["issuer"], row["subject"]), row["verdict"], row["comment"], row["at"], groups, row["via"])


def _review(row: RowMapping) -> Review:
    by = (row["signed_issuer"], row["signed_subject"])
    signed = Said(by, row["signed_verdict"], row["signed_comment"], row["signed"]) if row["signed"] else None
    return Review(
        exchange=row["exchange"],
        rule=row["rule"],
        subject=(row["issuer"], row["subject"]),
        review_by=tuple(row["review_by"].split()),
        opened=row["opened"],
        shown=json.loads(row["shown"]),
        signed=signed,
        due=row["due"],
    )

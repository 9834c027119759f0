"""Whatever people do, in whatever order, at two gateways of one ledger: nobody gets what others did not give them.

The gateways decide, hold, answer, spend and take back by the real code; only time, journal and people are made up. What
the ledger then holds, and what passed, is held against what each rule of approvals says.
"""

import asyncio
import contextlib
import json
import math
import os
import time
from collections import Counter
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy.ext.asyncio import create_async_engine

from phigate.answering import Answering, Caller
from phigate.approval.refusals import No
from phigate.approval.tickets import opened
from phigate.exchange import Subject
from phigate.ledger import engines, open_ledger
from phigate.ledger.bounded import Bounds
from phigate.ledger.tickets import TRANSITIONS
from phigate.policy.decide import Hold, Permit, PromptFacts, decide
from tests.ledger.conftest import ledger_url, sqlite_url  # noqa: F401 -- fixtures
from tests.policies import policy

THOROUGH = bool(os.environ.get("PHIGATE_THOROUGH"))
LONG = 330.0
"""Seconds that the thorough form takes in each database."""

ISSUER, START = "https://idp.example", 1_700_000_000.0
PEOPLE = ("ada", "eve", "kai", "zoe")
PERSON = st.sampled_from(PEOPLE)
GROUPS = st.sampled_from([("privacy",), ("privacy", "board"), ("board",), ("ward",), ()])
VERDICT = st.sampled_from(["approve"] * 4 + ["reject", "revoke"])
HOLD = "name: ask, hold: [clinician, officer], to: [chat], models: ['*'], mask: lean"
REVIEW = "{name: reviews, permit: [officer, lead], to: [review], models: ['*']}"
BOTH = "roles: {clinician: [ward], officer: [privacy], lead: [board]}\n"
MOVED = "roles: {clinician: [ward, privacy], officer: [board], lead: [board]}\n"
POLICIES = (
    policy(f"{{{HOLD}, approvers: [officer], approvals: 2}}", REVIEW, roles=BOTH),
    policy(f"{{{HOLD}, approvers: [officer]}}", REVIEW, roles=BOTH),
    policy(f"{{{HOLD}, approvers: [officer, lead], approvals: 2, grant: {{for: PT1M}}}}", REVIEW, roles=BOTH),
    policy(f"{{{HOLD}, approvers: [lead], grant: {{uses: 2, for: PT1M}}}}", REVIEW, roles=BOTH),
    policy(f"{{{HOLD}, approvers: [officer, lead], approvals: 3}}", REVIEW, roles=BOTH),
    policy(f"{{{HOLD}, approvers: [officer], approvals: 2}}", REVIEW, roles=MOVED),
    policy(f"{{{HOLD}, approvers: [officer]}}", "{name: all, permit: [lead], to: [review], models: ['*']}", roles=BOTH),
    policy("{name: other, permit: [lead], to: [review], models: ['*']}", roles=BOTH),
)
ROWS = ("tickets", "verdicts", "grants", "uses")
CAME = Counter()
"""What lives came to: a run in which nobody gets anything proves nothing."""


def after(state):
    """The states that a ticket may be in later."""
    steps = {to for (of, _), to in TRANSITIONS.items() if of == state}
    return {state} | steps | {further for each in steps for further in after(each)}


@dataclass
class World:
    """What all gateways have in common beside their ledger."""

    now: float = START
    out: dict = field(default_factory=dict)
    """Until when what each person's bearers say is not believed."""


class Gateway:
    """One gateway, as `Answering` asks it, and as it meets requests; its journal always holds."""

    def __init__(self, ledger, world):
        self.ledger, self.world, self.policy = ledger, world, POLICIES[0]
        self.approvals, self.answering = ledger.approvals, Answering(self)
        self.grants = []
        """Records of grants, with the policy that was in force then."""
        self.judged = 0

    def now(self):
        return self.world.now

    def may_review(self, subject, now):
        asked = (subject, frozenset({"review"}), None, PromptFacts(), (), now)
        return isinstance(decide(self.policy, *asked), Permit)

    def revoked(self, subject):
        return subject.issued <= self.world.out.get((subject.issuer, subject.id), -math.inf)

    def said(self):
        """Nobody waits with a connection open here."""

    async def record(self, kind, fields):
        if kind == "grant":
            self.grants.append((self.policy, fields))

    def person(self, who, groups):
        roles = self.policy.roles_of(groups)
        return Subject(ISSUER, who, tuple(groups), roles, self.world.now + 60, issued=self.world.now)

    async def answer(self, name, who, groups, verdict):
        """What it came to: a state, or a reason."""
        caller = Caller(self.person(who, groups), "192.0.2.1", "console")
        try:
            if verdict == "revoke":
                return (await self.answering.revoke(name, caller, "")).stands(self.now())
            return (await self.answering.answer(name, caller, verdict, "")).state
        except No as no:
            return no.reason

    async def ask(self, who, groups, digest, number):
        """A request: the ticket that holds it, the grants by which it passed, or nothing."""
        subject, actions = self.person(who, groups), frozenset({"chat"})
        facts = PromptFacts(digest=digest)
        grants = await self.approvals.live_grants((ISSUER, who), self.world.now)
        decision = decide(self.policy, subject, actions, "llama3", facts, grants, self.world.now)
        if isinstance(decision, Permit):
            names = [each.id for each in decision.grants]
            assert names, "it passed without a yes"
            return names if await self.approvals.spend_grants(names, f"ex-{number}", self.world.now) else None
        if isinstance(decision, Hold):
            about = {"actions": actions, "model": "llama3", "digest": digest, "exchange": f"ex-{number}"}
            made = opened(
                decision, subject, id_=f"t-{number}", policy=self.policy.sha256, shown={}, now=self.world.now, **about
            )
            found = await self.approvals.open_ticket(made, self.world.now)
            return found and found[0].id
        return None


class Life(RuleBasedStateMachine):
    url = ""

    def __init__(self):
        super().__init__()
        self.loop, self.world = asyncio.Runner(), World()
        self.gateways = [Gateway(self.loop.run(open_ledger(self.url)), self.world) for _ in range(2)]
        self.number, self.tickets, self.digests, self.states = 0, {}, {}, {}
        self.uses, self.expired, self.found = {}, [], {}
        self.database = create_async_engine(self.url, isolation_level="AUTOCOMMIT")
        self.loop.run(self.execute(*(f"DELETE FROM phigate_{table}" for table in ROWS)))

    def teardown(self):
        CAME.update(self.states.values())
        CAME["grants"] += len(self.grants())
        CAME["uses"] += sum(map(len, self.uses.values()))
        CAME["told"] += len(self.expired)
        self.loop.run(self.database.dispose())
        for each in self.gateways:
            self.loop.run(each.ledger.close())
        self.loop.close()

    async def execute(self, *statements):
        async with self.database.connect() as connection:
            made = [await connection.exec_driver_sql(each) for each in statements]
            return [[*each.mappings()] if each.returns_rows else [] for each in made]

    def rows(self, table):
        """All of a table as it is after the last step."""
        if self.found.get("at") != self.world.now:
            found = self.loop.run(self.execute(*(f"SELECT * FROM phigate_{each}" for each in ROWS)))
            self.found = {"at": self.world.now, **dict(zip(ROWS, found, strict=True))}
        return self.found[table]

    def at_once(self, *asked):
        self.world.now += 0.001

        async def work():
            return await asyncio.gather(*asked)

        return self.loop.run(work())

    def pick(self, number):
        """A ticket, 0 the newest."""
        return list(self.tickets)[-1 - number % len(self.tickets)]

    @rule(who=st.sampled_from(("ada", "ada", "eve")), groups=GROUPS, digest=st.sampled_from("aab"))
    def ask(self, who, groups, digest):
        """The same request three times at once, by turns at either gateway."""
        self.number += 4
        asking = [(self.gateways[at % 2], self.number + at) for at in range(3)]
        for each in self.at_once(*(gate.ask(who, (*groups, "ward"), digest, number) for gate, number in asking)):
            self.passed(each, who, digest)

    @initialize(digest=st.sampled_from("ab"))
    def begin(self, digest):
        self.ask("ada", (), digest)

    @precondition(lambda self: self.tickets)
    @rule(number=st.integers(0, 2))
    def ask_again(self, number):
        name = self.pick(number)
        self.ask(self.tickets[name][1], (), self.digests[name])

    @precondition(lambda self: self.tickets)
    @rule(number=st.integers(0, 2), said=st.lists(st.tuples(PERSON, GROUPS, VERDICT), min_size=1, max_size=3))
    def answer(self, number, said):
        """One or several people at once, by turns at either gateway."""
        name = self.pick(number)
        gates = [self.gateways[at % 2] for at in range(len(said))]
        came = self.at_once(*(gate.answer(name, *each) for gate, each in zip(gates, said, strict=True)))
        for (who, _, verdict), state in zip(said, came, strict=True):
            assert self.tickets[name] != (ISSUER, who) or verdict == "revoke" or state not in {"approved", "rejected"}

    @precondition(lambda self: self.tickets)
    @rule(number=st.integers(0, 2))
    def everybody_says_yes(self, number):
        self.answer(number, [(who, ("privacy", "board"), "approve") for who in PEOPLE])

    @precondition(lambda self: self.tickets)
    @rule(number=st.integers(0, 2), digest=st.sampled_from("ab"))
    def use_while_it_is_taken_back(self, number, digest):
        name = self.pick(number)
        who = self.tickets[name][1]
        self.number += 4
        one, two = self.gateways
        mine = (who, ["ward"], digest)
        first, state, second = self.at_once(
            one.ask(*mine, self.number), two.answer(name, who, ["ward"], "revoke"), two.ask(*mine, self.number + 1)
        )
        self.passed(first, who, digest)
        self.passed(second, who, digest)
        assert state in {"revoked", "ticket-over", "used", "expired"}  # what is over stays so: what runs by it ends

    def passed(self, came, who, digest):
        """Keep what a request came to."""
        if isinstance(came, str):
            self.tickets.setdefault(came, (ISSUER, who))
            self.digests[came] = digest
        for name in came if isinstance(came, list) else ():
            self.uses.setdefault(name, []).append((self.world.now, (ISSUER, who), digest))

    @rule(at=st.sampled_from([0, 1]), which=st.integers(0, len(POLICIES) - 1), both=st.booleans())
    def edit(self, at, which, both):
        """A policy reaches one gateway, or both."""
        for gate in self.gateways if both else [self.gateways[at]]:
            gate.policy = POLICIES[which]

    @rule(who=PERSON)
    def put_out(self, who):
        self.world.out[ISSUER, who] = self.world.now
        self.world.now += 0.001

    @rule(seconds=st.sampled_from([0.5, 5.0, 59.0, 86_400.0]))
    def wait(self, seconds):
        self.world.now += seconds

    @rule()
    def look(self):
        """Both gateways look for what lapsed, and tell it."""

        async def tell(gate):
            found = await gate.ledger.unanswered.lapsed(self.world.now)
            for each in found:
                await gate.ledger.unanswered.told(each, self.world.now)
            return [each.ticket.id for each in found]

        self.expired += [name for names in self.at_once(*map(tell, self.gateways)) for name in names]

    # -- what holds whatever happens --------------------------------------------------------------------------------

    def grants(self):
        return [each for gate in self.gateways for each in gate.grants]

    @invariant()
    def a_ticket_moves_only_along_the_table(self):
        now = {row["id"]: row["state"] for row in self.rows("tickets")}
        assert now.keys() >= self.states.keys()
        for name, state in now.items():
            assert state in after(self.states.get(name, "pending")), (name, self.states.get(name), state)
        self.states = now

    @invariant()
    def a_ticket_gives_one_grant_at_most(self):
        of = [fields["ticket"] for _, fields in self.grants()]
        assert len(of) == len(set(of)) == len(self.rows("grants"))

    @invariant()
    def a_grant_has_enough_other_people_behind_it(self):
        said = {(row["ticket"], row["issuer"], row["subject"]): row["verdict"] for row in self.rows("verdicts")}
        needed = {row["id"]: row["approvals"] for row in self.rows("tickets")}
        for under, fields in self.grants():
            by = {(each["issuer"], each["id"]) for each in fields["by"]}
            (now,) = [each for each in under.rules if each.name == "ask"]
            assert len(by) >= max(now.approvals, needed[fields["ticket"]])
            assert {said.get((fields["ticket"], *each)) for each in by} == {"approve"}
        assert not [each for each in said if self.tickets[each[0]] == each[1:]], "the requester answered"

    @invariant()
    def nothing_is_used_more_often_or_later_or_by_others_than_was_given(self):
        given = {fields["grant"]: fields for _, fields in self.grants()}
        assert self.uses.keys() <= given.keys()
        for row in self.rows("grants"):
            uses, fields = self.uses.get(row["id"], []), given[row["id"]]
            assert fields["uses"] is None or len(uses) <= fields["uses"], "used more often than given"
            for when, who, what in uses:
                assert row["starts"] <= when <= row["expires"], "used out of its time"  # an edit ends it at this moment
                assert row["revoked"] is None or when <= row["revoked"], "used after it was taken back"
                assert who == self.tickets[fields["ticket"]], "used by another"
                assert row["digest"] in {None, what}, "used for another request"

    @invariant()
    def a_ticket_is_told_to_be_over_once_and_only_if_it_is(self):
        assert len(self.expired) == len(set(self.expired))
        assert {row["state"] for row in self.rows("tickets") if row["id"] in self.expired} <= {"expired"}

    @invariant()
    def who_counts_for_a_grant_may_answer_by_the_policy_then_and_was_not_put_out(self):
        """Of each new grant, at the moment when it was made."""
        said = {(row["ticket"], row["issuer"], row["subject"]): row for row in self.rows("verdicts")}
        roles = {row["id"]: set(row["approvers"].split()) for row in self.rows("tickets")}
        for gate in self.gateways:
            new, gate.judged = gate.grants[gate.judged :], len(gate.grants)
            for under, fields in new:
                (now,) = [each for each in under.rules if each.name == "ask"]
                for each in fields["by"]:
                    row = said[fields["ticket"], each["issuer"], each["id"]]
                    held = under.roles_of(json.loads(row["groups"]))
                    assert held & roles[fields["ticket"]]
                    assert held & {*now.approvers}
                    assert row["at"] > self.world.out.get((each["issuer"], each["id"]), -math.inf)


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """How fast the database is on a machine with much else to do is not what is tried here."""
    monkeypatch.setattr(engines, "_DRIVER", 60.0)
    monkeypatch.setattr(Bounds.wait, "__defaults__", (60.0,))


def run(url, *, examples, steps):
    asyncio.run(prepared(url))
    machine = type("LifeHere", (Life,), {"url": url})
    wanted = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    with contextlib.redirect_stdout(None):
        run_state_machine_as_test(machine, settings=wanted)


async def prepared(url):
    await (await open_ledger(url)).close()


@pytest.mark.timeout(900 if THOROUGH else 120)
def test_no_path_at_two_gateways_gives_what_was_not_given(ledger_url):  # noqa: F811 -- the fixture
    """Six lives of twenty steps; with PHIGATE_THOROUGH=1 as many of sixty as fit in five minutes and a half."""
    CAME.clear()
    run(ledger_url, examples=6, steps=20)
    end = time.monotonic() + LONG
    while THOROUGH and time.monotonic() < end:
        run(ledger_url, examples=40, steps=60)
    if THOROUGH:
        print("came to", dict(CAME))  # noqa: T201 -- what a long run was worth
        assert CAME.keys() >= {"pending", "approved", "rejected", "expired", "used", "revoked", "uses", "told"}


@pytest.mark.parametrize("taken_back", [False, True])
def test_a_life_in_which_everybody_says_yes_has_its_one_use(sqlite_url, taken_back):  # noqa: F811 -- the fixture
    """Lest nothing is given what was not given because nothing ever is."""
    asyncio.run(prepared(sqlite_url))
    life = type("LifeHere", (Life,), {"url": sqlite_url})()
    life.begin("a")
    life.everybody_says_yes(0)
    if taken_back:
        life.answer(0, [("ada", ("ward",), "revoke")])
    life.ask_again(0)
    life.ask_again(0)
    life.wait(86_400.0)
    life.look()
    for name in dir(life):
        if getattr(getattr(life, name), "hypothesis_stateful_invariant", None):
            getattr(life, name)()
    assert (len(life.grants()), sum(map(len, life.uses.values()))) == (1, 0 if taken_back else 1)
    life.teardown()


# -- at the same moment ---------------------------------------------------------------------------------------------

ROUNDS = 500 if THOROUGH else 3
OFFICER = ("privacy",)


@pytest.fixture
async def pair(ledger_url):  # noqa: F811 -- the fixture
    """Two gateways with connections of their own, whose policy asks for two yeses."""
    ledgers = [await open_ledger(ledger_url) for _ in range(2)]
    world = World()
    yield [Gateway(each, world) for each in ledgers]
    for each in ledgers:
        await each.close()


async def held(gate, number):
    """A ticket of one more request of ada's."""
    gate.world.now += 3600  # nobody may have many waiting, or open many in a day
    return await gate.ask("ada", ("ward",), f"request-{number}", number)


async def given(pair, number):
    name = await held(pair[0], number)
    for who in ("eve", "kai"):
        assert await pair[0].answer(name, who, OFFICER, "approve") in {"pending", "approved"}
    return name


def gate_of(pair, at):
    return pair[at % 2]


async def test_of_all_who_spend_the_last_use_at_once_one_does(pair):
    for number in range(ROUNDS):
        await given(pair, number)
        asking = (
            gate_of(pair, at).ask("ada", ("ward",), f"request-{number}", 10_000 * (number + 1) + at) for at in range(6)
        )
        assert sum(isinstance(each, list) for each in await asyncio.gather(*asking)) == 1


async def test_of_all_who_say_the_last_yes_at_once_one_makes_the_grant(pair):
    for number in range(ROUNDS):
        name = await held(pair[0], number)
        assert await pair[1].answer(name, "eve", OFFICER, "approve") == "pending"
        saying = (gate_of(pair, at).answer(name, f"officer-{at}", OFFICER, "approve") for at in range(6))
        came = await asyncio.gather(*saying)
        assert sorted(came) == ["approved"] + ["ticket-over"] * 5
    made = [fields["ticket"] for gate in pair for _, fields in gate.grants]
    assert len(made) == len(set(made)) == ROUNDS


@pytest.mark.parametrize("against", ["revoke", "reject"])
async def test_a_yes_against_somebody_who_ends_it_leaves_no_grant_or_one_that_was_taken_back(pair, against):
    for number in range(ROUNDS):
        name = await held(pair[0], number)
        assert await pair[1].answer(name, "eve", OFFICER, "approve") == "pending"
        yes, ended = await asyncio.gather(
            pair[0].answer(name, "kai", OFFICER, "approve"), pair[1].answer(name, "zoe", OFFICER, against)
        )
        live = await pair[0].approvals.live_grants((ISSUER, "ada"), pair[0].now())
        state = (await pair[0].approvals.ticket(name)).state
        if against == "revoke":
            assert (ended, state, live) == ("revoked", "revoked", [])
            assert yes in {"approved", "ticket-over"}
        else:
            assert {yes, ended} in ({"approved", "ticket-over"}, {"rejected", "ticket-over"})
            assert (len(live), state) == ((1, "approved") if yes == "approved" else (0, "rejected"))
            await pair[0].answer(name, "zoe", OFFICER, "revoke")


async def test_a_use_against_somebody_who_takes_it_back_waits_for_nobody_in_a_ring(pair):
    """Each locks the ticket before its grant: one after the other, and neither is told that the ledger is down."""
    for number in range(ROUNDS):
        name = await given(pair, number)
        used, ended = await asyncio.gather(
            pair[0].ask("ada", ("ward",), f"request-{number}", 10_000 * (number + 1)),
            pair[1].answer(name, "zoe", OFFICER, "revoke"),
        )
        assert (isinstance(used, list), ended) in {(True, "used"), (False, "revoked"), (True, "revoked")}
        assert await pair[0].approvals.live_grants((ISSUER, "ada"), pair[0].now()) == []


async def test_requests_of_one_person_whose_tickets_lapse_wait_for_nobody_in_a_ring(pair):
    """Each ends all of them, in one order: none is told that the ledger is down."""
    for number in range(ROUNDS):
        names = [await pair[0].ask("ada", ("ward",), f"request-{number}-{at}", 100 * number + at) for at in range(12)]
        for name in (names[7], names[2], names[9]):  # where their rows stand is not the order in which they came
            assert await pair[1].answer(name, "eve", OFFICER, "approve") == "pending"
        pair[0].world.now += 86_400
        more = 100 * number + 20
        asking = (gate_of(pair, at).ask("ada", ("ward",), f"more-{number}-{at % 2}", more + at) for at in range(8))
        found = await asyncio.gather(*asking)
        assert len(set(found)) == 2
        assert {(await pair[0].approvals.ticket(name)).state for name in names} == {"expired"}

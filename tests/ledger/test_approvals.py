"""Tickets, grants and reviews in each database, asked by several gateways at once."""

import asyncio
import contextlib
import os
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from phigate.ledger import LedgerDown, open_ledger
from phigate.ledger.approvals import DAY, KEEP, MOST_PENDING
from phigate.ledger.ledger import SKEW
from phigate.ledger.tickets import Review, Said, Step
from tests.ledger.peers import execute
from tests.ledger.tickets import ADA, EVE, KAI, NOW, grant_of, no, ticket, yes

THOROUGH = bool(os.environ.get("PHIGATE_THOROUGH"))


@pytest.fixture
async def book(ledger):
    return ledger.approvals


@pytest.fixture
async def two(ledger, ledger_url):
    """The same book, opened by two gateways."""
    other = await open_ledger(ledger_url)
    yield ledger.approvals, other.approvals
    await other.close()


async def approved(book, **changes):
    one = ticket(**changes)
    await book.open_ticket(one, NOW)
    await book.answer(one.id, yes(), NOW)
    return grant_of(one)


# -- tickets --------------------------------------------------------------------------------------------------------


async def test_a_ticket_is_kept_as_it_is(book):
    assert await book.open_ticket(ticket(), NOW) == (ticket(), True)
    assert await book.ticket("t-1") == ticket()
    assert await book.pending(NOW) == [ticket()]
    assert await book.ticket("t-2") is None


async def test_the_same_request_finds_its_ticket_again(book):
    await book.open_ticket(ticket(), NOW)
    assert await book.open_ticket(ticket(id="t-2"), NOW) == (ticket(), False)
    _, step = await book.answer("t-1", yes(), NOW)
    assert step.grant == grant_of(ticket())
    again, fresh = await book.open_ticket(ticket(id="t-2"), NOW)
    assert (again.id, again.state, fresh) == ("t-1", "approved", False)


async def test_of_an_edited_rule_the_request_opens_another_and_the_first_is_over_with_what_it_gave(book):
    """Also where the first is from a time that did not write down what the rule was."""
    for number, (was, now_is) in enumerate(((None, "one"), ("one", "two"))):
        first, then = NOW + 10 * number, NOW + 10 * number + 5
        one, two = (ticket(id=f"t-{number}-{rule}", digest=f"{number}", rule_hash=rule) for rule in (was, now_is))
        await book.open_ticket(one, first)
        await book.answer(one.id, yes(now=first), first)
        (grant,) = await book.live_grants(ADA, first)
        assert (grant.ticket, grant.rule_hash) == (one.id, was)
        assert await book.open_ticket(two, then) == (two, True)
        assert await book.ticket(two.id) == two
        assert (await book.ticket(one.id)).state == "expired"
        assert await book.live_grants(ADA, then) == []
        assert not await book.spend_grants([grant.id], "ex", then)
        assert (await book.open_ticket(ticket(id="t-9", digest=f"{number}", rule_hash=now_is), then)) == (two, False)


OTHERS = [{"subject": EVE}, {"subject": ("https://other.example", "ada")}, {"digest": "bb"}, {"rule": "see"}]


@pytest.mark.parametrize("change", OTHERS, ids=str)
async def test_another_request_opens_its_own(book, change):
    await book.open_ticket(ticket(), NOW)
    assert (await book.open_ticket(ticket(id="t-2", **change), NOW))[1]


async def test_once_a_ticket_is_over_the_request_opens_another(book):
    one = ticket()
    await book.open_ticket(one, NOW)
    assert (await book.open_ticket(ticket(id="t-2"), one.until))[1]
    assert (await book.ticket("t-1")).state == "expired"
    await book.answer("t-2", no(), NOW)
    assert (await book.open_ticket(ticket(id="t-3"), NOW))[1]


async def test_two_gateways_that_open_at_once_open_one(two):
    said = await asyncio.gather(*(two[at % 2].open_ticket(ticket(id=f"t-{at}"), NOW) for at in range(8)))
    assert sum(fresh for _, fresh in said) == 1
    assert len({each.id for each, _ in said}) == 1


async def test_nobody_fills_the_approvers_list(book):
    for number in range(MOST_PENDING):
        assert await book.open_ticket(ticket(id=f"t-{number}", digest=str(number)), NOW)
    assert await book.open_ticket(ticket(id="more", digest="more"), NOW) is None
    assert (await book.open_ticket(ticket(id="again", digest="0"), NOW))[0].id == "t-0"
    assert (await book.open_ticket(ticket(id="other", subject=EVE), NOW))[1]


async def test_nobody_fills_the_database_by_taking_back_and_asking_again(book, monkeypatch):
    monkeypatch.setattr("phigate.ledger.approvals.MOST_A_DAY", 3)
    for number in range(3):
        await book.open_ticket(ticket(id=f"t-{number}"), NOW)
        await book.answer(f"t-{number}", lambda _of: Step(None, "revoke"), NOW)
    assert await book.open_ticket(ticket(id="more"), NOW) is None
    assert (await book.open_ticket(ticket(id="other", subject=EVE), NOW))[1]
    later = NOW + DAY
    assert (await book.open_ticket(ticket(id="tomorrow", opened=later, until=later + 60), later))[1]


async def test_answers_are_kept_with_their_comments(book):
    await book.open_ticket(ticket(approvals=2), NOW)
    said = Said(EVE, "approve", "seen", NOW)
    after, _ = await book.answer("t-1", lambda _of: Step(said), NOW)
    assert (after.state, after.said) == ("pending", (said,))
    after, _ = await book.answer("t-1", yes(KAI, NOW + 1), NOW + 1)
    assert (after.state, [each.by for each in after.said], after.until) == ("approved", [EVE, KAI], NOW + 601)


async def test_a_refused_answer_changes_nothing(book):
    await book.open_ticket(ticket(), NOW)
    assert await book.answer("t-1", lambda _of: "own-request", NOW) == "own-request"
    assert await book.ticket("t-1") == ticket()
    assert await book.answer("t-2", yes(), NOW) is None


async def test_the_database_itself_takes_nobody_twice_and_no_step_out_of_order(book):
    await book.open_ticket(ticket(approvals=2), NOW)
    await book.answer("t-1", lambda _of: Step(Said(EVE, "approve", "", NOW)), NOW)
    with pytest.raises(LedgerDown):
        await book.answer("t-1", yes(EVE), NOW)
    await book.answer("t-1", no(KAI), NOW)
    with pytest.raises(LedgerDown):
        await book.answer("t-1", yes(), NOW)
    assert await book.live_grants(ADA, NOW) == []


async def test_answers_that_come_at_once_are_taken_one_after_the_other(two):
    """Of eight that are each the last yes needed, one makes the grant and seven see that it is there."""
    await two[0].open_ticket(ticket(), NOW)

    def step(number):
        return lambda of: "ticket-over" if of.state != "pending" else yes(("i", str(number)))(of)

    said = await asyncio.gather(*(two[at % 2].answer("t-1", step(at), NOW) for at in range(8)))
    assert sorted(isinstance(each, tuple) for each in said) == [False] * 7 + [True]
    assert len(await two[1].live_grants(ADA, NOW)) == 1


# -- grants ---------------------------------------------------------------------------------------------------------


async def test_a_grant_is_its_subjects_and_lasts_its_time(book):
    grant = await approved(book)
    assert await book.live_grants(ADA, NOW) == [grant]
    assert await book.live_grants(EVE, NOW) == []
    assert await book.live_grants(("https://other.example", "ada"), NOW) == []
    assert await book.live_grants(ADA, grant.expires) == []
    assert await book.live_grants(ADA, grant.starts - 1) == []


async def test_a_grant_that_was_told_as_over_counts_no_more_where_a_clock_is_put_back(ledger, book):
    await book.open_ticket(ticket(uses=None), NOW)
    _, step = await book.answer("t-1", yes(), NOW)
    assert await book.live_grants(ADA, NOW + 1) == [step.grant]
    assert len(await ledger.unanswered.lapsed(step.grant.expires)) == 1
    assert await book.live_grants(ADA, NOW + 1) == []
    assert not await book.spend_grants([step.grant.id], "ex-1", NOW + 1)


async def test_a_use_is_spent_once_by_whichever_gateway(two):
    grant = await approved(two[0], uses=3)
    spent = await asyncio.gather(*(two[at % 2].spend_grants([grant.id], f"ex-{at}", NOW) for at in range(10)))
    assert sum(spent) == 3
    assert await two[0].live_grants(ADA, NOW) == []
    assert (await two[1].ticket("t-1")).state == "used"


async def test_a_grant_without_a_count_is_used_as_often_as_one_likes_in_its_time(book):
    grant = await approved(book, uses=None)
    assert [await book.spend_grants([grant.id], f"ex-{at}", NOW) for at in range(3)] == [True] * 3
    assert not await book.spend_grants([grant.id], "ex-9", grant.expires)
    assert (await book.ticket("t-1")).state == "approved"


async def test_of_several_grants_all_are_spent_or_none(book):
    first = await approved(book)
    second = await approved(book, id="t-2", rule="see")
    assert await book.spend_grants([second.id], "ex-1", NOW)
    assert not await book.spend_grants([first.id, second.id], "ex-2", NOW)
    assert await book.live_grants(ADA, NOW) == [first]


async def test_what_is_taken_back_counts_no_more(two):
    grant = await approved(two[0], uses=None)
    assert await two[1].taken_back([grant.id]) == set()
    await two[1].answer("t-1", lambda _of: Step(None, "revoke"), NOW)
    assert await two[0].live_grants(ADA, NOW) == []
    assert not await two[0].spend_grants([grant.id], "ex-1", NOW)
    assert await two[0].taken_back([grant.id, "g-unknown"]) == {grant.id}


async def test_whoever_waits_hears_how_tickets_stand_and_of_grants_for_more_than_one_request(two):
    book, other = two
    for name, digest in (("t-1", "aa"), ("t-2", "bb"), ("t-3", "cc")):
        await book.open_ticket(ticket(id=name, digest=digest, bound=name != "t-2"), NOW)
    asked = ["t-1", "t-2", "t-3", "t-9"]
    assert await other.news(asked, [ADA], NOW) == (dict.fromkeys(asked[:3], "pending"), [])
    await book.answer("t-1", yes(), NOW)
    await book.answer("t-2", yes(), NOW)
    await book.answer("t-3", no(), NOW)
    states, grants = await other.news(asked, [ADA], NOW)
    assert states == {"t-1": "approved", "t-2": "approved", "t-3": "rejected"}
    assert [each.ticket for each in grants] == ["t-2"]
    assert (await other.news(asked, [("https://other.example", ADA[1])], NOW))[1] == []
    behind, _ = await other.news(asked, [ADA], NOW - 0.1)  # by another clock the yes is still to come
    assert behind == {"t-1": "pending", "t-2": "pending", "t-3": "rejected"}
    assert await other.news(["t-1"], [], NOW + 1e6) == ({"t-1": "expired"}, [])


async def test_what_is_used_up_stays_so_and_what_runs_by_it_can_be_ended(two):
    grant = await approved(two[0])
    assert await two[0].spend_grants([grant.id], "ex-2", NOW)
    assert await two[1].taken_back([grant.id]) == set()
    after, _ = await two[0].answer("t-1", lambda _of: Step(ends=True), NOW)
    assert (after.state, await two[1].taken_back([grant.id])) == ("used", {grant.id})


# -- reviews --------------------------------------------------------------------------------------------------------

REVIEW = Review("ex-1", "sos", ADA, ("officer",), NOW, {"reason": "[PERSON]"})


async def test_a_review_is_open_until_it_is_signed_once(book):
    await book.open_review(REVIEW)
    assert await book.open_reviews() == [REVIEW]
    said = Said(EVE, "approve", "justified", NOW + 5)
    assert await book.sign_review("ex-1", said)
    assert not await book.sign_review("ex-1", replace(said, by=KAI))
    assert not await book.sign_review("ex-2", said)
    assert await book.open_reviews() == []
    assert await book.review("ex-1") == replace(REVIEW, signed=said)


# -- in time --------------------------------------------------------------------------------------------------------


async def test_what_is_long_over_goes_but_no_open_review(ledger, ledger_url):
    book = ledger.approvals
    grant = await approved(book)
    await book.spend_grants([grant.id], "ex-1", NOW)
    await book.open_review(REVIEW)
    later = NOW + KEEP + 3600 + 600 + SKEW + 1
    assert await ledger.sweep(NOW + KEEP - 1) == 1  # the grant: nobody asks for one that is over
    assert await ledger.sweep(later) == 3
    left = execute(ledger_url, *(f"SELECT count(*) FROM phigate_{each}" for each in ("tickets", "grants", "reviews")))
    assert [rows[0][0] for rows in left] == [0, 0, 1]


async def test_a_database_that_is_gone_is_said_so(ledger):
    book = ledger.approvals
    await ledger.close()
    for asked in (book.live_grants(ADA, NOW), book.spend_grants(["g"], "e", NOW), book.open_ticket(ticket(), NOW)):
        with pytest.raises(LedgerDown):
            await asked


# -- whatever happens -----------------------------------------------------------------------------------------------


class Life(RuleBasedStateMachine):
    """Two gateways, one database, and a model of it: what was used, against what was ever given."""

    url = ""

    def __init__(self):
        super().__init__()
        self.loop = asyncio.Runner()
        self.books = [self.loop.run(open_ledger(self.url)) for _ in range(2)]
        self.now, self.number = NOW, 0
        self.grants, self.used, self.out = {}, {}, set()
        for table in ("tickets", "verdicts", "grants", "uses"):
            execute(self.url, f"DELETE FROM phigate_{table}")

    def teardown(self):
        for each in self.books:
            self.loop.run(each.close())
        self.loop.close()

    def all_at_once(self, *asked):
        async def work():
            return await asyncio.gather(*asked)

        return self.loop.run(work())

    @rule(uses=st.sampled_from([1, 1, 2, None]), lasts=st.sampled_from([5.0, 50.0]), digest=st.sampled_from("ab"))
    def ask(self, uses, lasts, digest):
        self.number += 1
        one = ticket(id=f"t-{self.number}", digest=digest, uses=uses, lasts=lasts, opened=self.now, until=self.now + 20)
        found = self.all_at_once(*(each.approvals.open_ticket(one, self.now) for each in self.books))
        assert found[0][0].id == found[1][0].id

    @precondition(lambda self: self.number)
    @rule(pick=st.integers(0, 9), who=st.sampled_from([ADA, EVE, KAI]), back=st.booleans())
    def answer(self, pick, who, back):
        name = f"t-{1 + pick % self.number}"

        def step(of):
            if of.stands(self.now) not in {"pending", "approved"}:
                return "ticket-over"
            if back:
                return Step(None, "revoke")
            if of.subject == who or of.stands(self.now) != "pending":
                return "own-request"
            return yes(who, self.now)(of)

        made = self.all_at_once(*(each.approvals.answer(name, step, self.now) for each in self.books))
        for _, taken in (each for each in made if isinstance(each, tuple)):
            if taken.grant is not None:
                assert taken.grant.id not in self.grants, "one ticket, two grants"
                self.grants[taken.grant.id] = taken.grant
                assert taken.said.by != ADA
            if taken.event == "revoke":
                self.out.add(f"g-{name}")

    @precondition(lambda self: self.grants)
    @rule(pick=st.integers(0, 9))
    def spend(self, pick):
        name = sorted(self.grants)[pick % len(self.grants)]
        grant = self.grants[name]
        exchanges = [f"ex-{len(self.used)}-{name}-{at}-{self.used.get(name, 0)}-{self.now}" for at in range(4)]
        spent = self.all_at_once(
            *(self.books[at % 2].approvals.spend_grants([name], each, self.now) for at, each in enumerate(exchanges))
        )
        self.used[name] = self.used.get(name, 0) + sum(spent)
        if any(spent):
            assert name not in self.out, "used after it was taken back"
            assert grant.starts <= self.now < grant.expires, "used after its time"
        elif name not in self.out and self.now < grant.expires:
            assert grant.uses is not None
            assert self.used[name] == grant.uses, "a use was lost"

    @rule(seconds=st.sampled_from([1.0, 5.0, 21.0]))
    def wait(self, seconds):
        self.now += seconds

    @invariant()
    def nothing_is_used_more_often_than_it_was_given(self):
        for name, times in self.used.items():
            assert self.grants[name].uses is None or times <= self.grants[name].uses


def test_no_path_gives_a_use_that_nobody_gave(ledger_url):
    """No second use of a one-use grant, none after its end or after it was taken back, no yes by the requester."""

    async def prepare():
        await (await open_ledger(ledger_url)).close()

    asyncio.run(prepare())
    machine = type("LifeHere", (Life,), {"url": ledger_url})
    count, steps = (300, 50) if THOROUGH else (8, 20)
    wanted = settings(
        max_examples=count,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    with contextlib.redirect_stdout(None):
        run_state_machine_as_test(machine, settings=wanted)

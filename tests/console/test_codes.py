"""One-time codes: whose they are, for what, how long, how often; real policy, ledger and journal."""

import asyncio
import re
import time
from dataclasses import replace

import pytest

from phigate.answering import Answering, Caller
from phigate.approval.refusals import No
from phigate.console import codes as module
from phigate.console.codes import ALPHABET, LASTS, LENGTH, Codes
from phigate.console.desk import Desk
from phigate.console.guesses import EACH
from phigate.exchange import Scope, Subject
from phigate.journal.writer import JournalDown
from phigate.ledger import LedgerDown, Revocation
from phigate.policy.load import parse_policy
from tests.ledger.tickets import ticket
from tests.stage import ISSUER, RULES, followed, furnished, kept, policy_text

REVIEWS = "{name: reviews, permit: [officer, researcher], to: [review], models: ['*']}"
PAIR = "{name: pair, hold: [researcher], to: [chat], models: ['*'], approvers: [officer], approvals: 2, mask: lean}"
WRONG = ALPHABET[0] * LENGTH


class Clocked(Desk):
    later = 0.0

    def now(self):
        return time.time() + self.later


@pytest.fixture
async def house(tmp_path):
    async with followed(furnished(tmp_path, policy_text(*RULES, REVIEWS, PAIR))) as made:
        yield made


@pytest.fixture
def counted():
    return []


@pytest.fixture
def desk(house, counted):
    return Clocked(house, "http://127.0.0.1:8080", "http://127.0.0.1:8090", lambda *said: counted.append(said))


@pytest.fixture
def codes(desk):
    return Codes(desk, Answering(desk))


def caller(house, *groups, who="eve", **changes):
    now = time.time()
    person = Subject(ISSUER, who, groups, house.policy.roles_of(groups), now + 3000, issued=now - 10, jti=f"j-{who}")
    return Caller(replace(person, **changes), "192.0.2.1", "console")


async def opened(house, id_="t-1", **changes):
    now = time.time()
    person = {"subject": (ISSUER, "ada"), "approvers": ("officer",), "rule": "see", "opened": now, "until": now + 6000}
    one = ticket(id=id_, digest=id_, **(person | changes))
    await house.agreement.approvals.open_ticket(one, now)
    return one


async def refused(codes, name, code, verdict="approve"):
    with pytest.raises(No) as no:
        await codes.answer(name, code, verdict)
    return no.value.reason


async def test_a_code_is_its_owner_s_yes_and_all_of_it_is_on_record(house, codes):
    await opened(house)
    given = await codes.give("t-1", caller(house, "privacy"))
    assert re.fullmatch(f"[{ALPHABET}]{{5}}-[{ALPHABET}]{{5}}", given["code"])
    assert given["ticket"] == "t-1"
    assert abs(given["until"] - time.time() - LASTS) < 5
    after = await codes.answer("t-1", given["code"], "approve")
    assert after.state == "approved"
    (said,) = after.said
    assert (said.by, said.groups, said.via) == ((ISSUER, "eve"), ("privacy",), "mitmproxy")
    got, yes = kept(house, "look", "ticket")
    assert (got["command"], got["about"]["ticket"], got["subject"]["id"]) == ("POST /tickets/ID/code", "t-1", "eve")
    assert (yes["decision"], yes["subject"], yes["client"]) == (
        "approve",
        got["subject"],
        {"ip": "", "via": "mitmproxy"},
    )
    bare = given["code"].replace("-", "")
    text = house.journal.path.read_text()
    assert bare not in text
    assert given["code"] not in text


async def test_a_code_may_be_written_as_people_write(house, codes):
    await opened(house)
    given = await codes.give("t-1", caller(house, "privacy"))
    assert (await codes.answer("t-1", given["code"].replace("-", "").lower(), "reject")).state == "rejected"


async def test_a_code_is_good_once(house, codes, counted):
    await opened(house, rule="pair", approvals=2)
    given = await codes.give("t-1", caller(house, "privacy"))
    assert (await codes.answer("t-1", given["code"], "approve")).state == "pending"
    assert await refused(codes, "t-1", given["code"]) == "code-refused"
    assert counted == [("mitmproxy", "code-unknown")]


async def test_of_many_at_once_who_have_a_code_one_answers(house, desk, codes):
    await opened(house, rule="pair", approvals=2)
    given = await codes.give("t-1", caller(house, "privacy"))
    tries = [Codes(desk, Answering(desk)).answer("t-1", given["code"], "approve") for _ in range(8)]
    found = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(not isinstance(each, No) for each in found) == 1
    assert len((await house.agreement.approvals.ticket("t-1")).said) == 1


async def test_a_code_for_another_ticket_is_used_up_and_on_record(house, codes):
    await opened(house)
    await opened(house, "t-2")
    given = await codes.give("t-1", caller(house, "privacy"))
    assert await refused(codes, "t-2", given["code"]) == "code-refused"
    assert await refused(codes, "t-1", given["code"]) == "code-refused"
    told = kept(house, "look")[-1]
    assert (told["command"], told["decision"], told["reason"]) == ("phi.approve", "deny", "code-for-another-ticket")
    assert (told["about"], told["subject"]["id"]) == ({"ticket": "t-1"}, "eve")
    assert {(await house.agreement.approvals.ticket(each)).state for each in ("t-1", "t-2")} == {"pending"}


async def test_a_code_is_good_for_five_minutes(house, desk, codes):
    await opened(house)
    given = await codes.give("t-1", caller(house, "privacy"))
    desk.later = LASTS + 1
    assert await refused(codes, "t-1", given["code"]) == "code-refused"
    assert kept(house, "look")[-1]["reason"] == "code-expired"
    desk.later = 0.0
    assert await refused(codes, "t-1", given["code"]) == "code-refused"


async def test_a_code_ends_with_the_bearer_that_it_was_given_for(house, desk, codes):
    await opened(house)
    soon = time.time() + 60
    given = await codes.give("t-1", caller(house, "privacy", expires=soon))
    assert given["until"] == soon
    desk.later = 61
    assert await refused(codes, "t-1", given["code"]) == "code-refused"


@pytest.mark.parametrize(
    "entry",
    [
        Revocation(ISSUER, "eve", None, 9e9, 9e9, "eve", "lost"),
        Revocation(ISSUER, None, "j-eve", 0, 9e9, "eve", "lost"),
        Revocation("https://first.example", None, "j-first", 0, 9e9, "eve", "lost"),
    ],
    ids=["the person", "the bearer", "a bearer that it was exchanged for"],
)
async def test_whoever_was_taken_back_meanwhile_answers_nothing(house, codes, entry):
    await opened(house)
    given = await codes.give("t-1", caller(house, "privacy", family=(("https://first.example", "j-first"),)))
    await house.agreement.ledger.revoke(entry)
    await house.agreement.look()
    assert await refused(codes, "t-1", given["code"]) == "code-refused"
    assert kept(house, "look")[-1]["reason"] == "revoked"
    assert (await house.agreement.approvals.ticket("t-1")).state == "pending"


def in_force(house, *rules, roles=None):
    text = policy_text(*rules)
    text = text.replace("officer: [privacy]", roles) if roles else text
    house.put_in_force(parse_policy(text.encode(), "policy.yaml", house.policy.folder))


async def test_whoever_lost_the_role_meanwhile_answers_nothing(house, codes):
    await opened(house)
    given = await codes.give("t-1", caller(house, "privacy"))
    in_force(house, *RULES, REVIEWS, roles="officer: [others]")
    assert house.policy.roles_of(("privacy",)) == frozenset()
    assert await refused(codes, "t-1", given["code"]) == "unknown"
    assert (await house.agreement.approvals.ticket("t-1")).state == "pending"


async def test_whoever_may_not_review_any_more_answers_nothing(house, codes):
    await opened(house)
    given = await codes.give("t-1", caller(house, "privacy"))
    in_force(house, *RULES)
    assert await refused(codes, "t-1", given["code"]) == "unknown"


async def test_an_issuer_that_is_not_believed_any_more_answers_nothing(house, codes):
    await opened(house)
    given = await codes.give("t-1", caller(house, "privacy"))
    text = policy_text(*RULES, REVIEWS).replace(ISSUER, "https://other.example")
    house.put_in_force(parse_policy(text.encode(), "policy.yaml", house.policy.folder))
    assert await refused(codes, "t-1", given["code"]) == "code-refused"


async def test_nobody_gets_a_code_who_could_not_say_yes(house, codes):
    await opened(house)
    others = (
        (caller(house, "ward", "privacy", who="ada"), "own-request"),
        (caller(house, "lab", who="ben"), "unknown"),
        (caller(house, "privacy", scope=Scope(actions=frozenset({"chat"}))), "unknown"),
    )
    for who, reason in others:
        with pytest.raises(No) as no:
            await codes.give("t-1", who)
        assert no.value.reason == reason
    await codes.answer("t-1", (await codes.give("t-1", caller(house, "privacy")))["code"], "approve")
    with pytest.raises(No, match="ticket-over"):
        await codes.give("t-1", caller(house, "privacy", who="kai"))


async def test_nobody_counts_twice_by_a_code_and_a_bearer(house, desk, codes):
    await opened(house, rule="pair", approvals=2)
    eve = caller(house, "privacy")
    given = await codes.give("t-1", eve)
    await Answering(desk).answer("t-1", eve, "approve", "")
    assert await refused(codes, "t-1", given["code"]) == "already-said"
    assert len((await house.agreement.approvals.ticket("t-1")).said) == 1


async def test_a_second_code_takes_the_place_of_the_first(house, codes):
    await opened(house)
    first, second = [await codes.give("t-1", caller(house, "privacy")) for _ in range(2)]
    assert await refused(codes, "t-1", first["code"]) == "code-refused"
    assert (await codes.answer("t-1", second["code"], "approve")).state == "approved"


async def test_guesses_are_bounded_even_for_who_is_right_then(house, desk, codes):
    await opened(house)
    given = await codes.give("t-1", caller(house, "privacy"))
    tries = await asyncio.gather(*(codes.answer("t-1", WRONG, "approve") for _ in range(12)), return_exceptions=True)
    assert [str(each) for each in tries].count("code-refused") == EACH
    assert await refused(codes, "t-1", given["code"]) == "too-many-guesses"
    assert await refused(codes, "t-1", WRONG, "reject") == "too-many-guesses"
    await opened(house, "t-2")
    other = await codes.give("t-2", caller(house, "privacy"))
    assert (await codes.answer("t-2", other["code"], "approve")).state == "approved"


@pytest.mark.parametrize("said", ["", "A" * 9, "O" * 10, "A" * 11, "AAAAA AAAAA", "'; --", "\u212a" * 10])
async def test_what_is_no_code_is_asked_of_nobody(house, codes, counted, said):
    assert await refused(codes, "t-1", said) == "malformed"
    assert await refused(codes, "../t-1", WRONG) == "malformed"
    assert counted == []


async def test_a_code_is_given_out_only_once_that_is_on_record(house, codes, monkeypatch):
    await opened(house)

    async def down(_kind, _fields):
        raise JournalDown("full")

    with monkeypatch.context() as broken:
        broken.setattr(house, "record", down)
        with pytest.raises(JournalDown):
            await codes.give("t-1", caller(house, "privacy"))
    given = await codes.give("t-1", caller(house, "privacy"))
    monkeypatch.setattr(house, "record", down)
    with pytest.raises(JournalDown):
        await codes.answer("t-1", given["code"], "approve")
    assert (await house.agreement.approvals.ticket("t-1")).state == "pending"


async def test_while_nobody_knows_who_is_out_no_code_counts(house, codes, monkeypatch):
    await opened(house)
    given = await codes.give("t-1", caller(house, "privacy"))
    monkeypatch.setattr(house.agreement.follow, "_looked", float("-inf"))
    with pytest.raises(LedgerDown):
        await codes.answer("t-1", given["code"], "approve")
    assert (await house.agreement.approvals.ticket("t-1")).state == "pending"


async def test_the_ledger_holds_no_code(house, codes, tmp_path):
    await opened(house)
    given = await codes.give("t-1", caller(house, "privacy"))
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.name.startswith("ledger.db") for path in files)
    bare = given["code"].replace("-", "").encode()
    assert [
        path.name for path in files if bare in path.read_bytes() or given["code"].encode() in path.read_bytes()
    ] == []


def test_codes_are_of_letters_that_nobody_mistakes():
    assert len(set(ALPHABET)) == len(ALPHABET) == 24
    assert not set("01258BILOSUZ") & set(ALPHABET)
    assert len(ALPHABET) ** module.LENGTH > 2**45

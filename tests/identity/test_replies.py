"""What somebody is told whose bearer is not believed, and which exchanges are one session."""

import re
import time

import pytest

from phigate.exchange import Subject
from phigate.identity.follow import PATIENCE, Follow
from phigate.identity.outcome import Refused, Unavailable
from phigate.identity.replies import ANSWERS_FOR, ENDLESS_FOR, outlived, over, refusal_of, session_of
from phigate.ledger import Revocation

ISSUER = "https://idp.example"


def test_keys_that_cannot_be_had_are_nobodys_fault():
    refusal = refusal_of(Unavailable(ISSUER, retry_after=7))
    assert (refusal.status, refusal.reason, refusal.retry_after) == (503, "keys-unavailable", 7)
    assert refusal.headers == {}


def test_a_gateway_that_does_not_know_its_address_names_none():
    assert refusal_of(Refused("expired")).headers == {
        "www-authenticate": 'Bearer realm="phigate", error="invalid_token"'
    }


def test_where_bearers_are_bound_to_keys_the_challenge_says_how():
    said = refusal_of(Refused("proof-missing"), "https://ai.example/m", dpop=True).headers["www-authenticate"]
    assert said.startswith('Bearer realm="phigate", error="invalid_token", resource_metadata="https://ai.example/m", ')
    assert re.search(r", DPoP algs=\"[A-Za-z0-9 ]+\"$", said)


def test_two_credentials_are_refused_like_any_wrong_one():
    assert refusal_of(Refused("two-credentials")).reason == "bearer-refused"


def subject(issuer=ISSUER, who="ada", expires=1.0, jti=None):
    return Subject(issuer, who, (), frozenset(), expires, jti)


SAME = [
    ("the same bearer", subject(jti="1"), b"", subject(jti="1", expires=2.0), b""),
    ("bearers without an id that end together", subject(), b"", subject(), b""),
    ("the same stated session on two bearers", subject(jti="1"), b"round", subject(jti="2"), b"round"),
]
OTHER = [
    ("two bearers", subject(jti="1"), b"", subject(jti="2"), b""),
    ("two people", subject(jti="1"), b"round", subject(who="bob", jti="1"), b"round"),
    ("two issuers", subject(), b"round", subject(issuer="https://other.example"), b"round"),
    ("two stated sessions", subject(), b"round", subject(), b"visit"),
    ("a stated one and none", subject(jti="1"), b"1", subject(jti="1"), b""),
]


@pytest.mark.parametrize(("sentence", "one", "stated", "two", "also"), SAME, ids=[case[0] for case in SAME])
def test_one_session(sentence, one, stated, two, also):
    assert session_of(one, stated) == session_of(two, also)


@pytest.mark.parametrize(("sentence", "one", "stated", "two", "also"), OTHER, ids=[case[0] for case in OTHER])
def test_two_sessions(sentence, one, stated, two, also):
    assert session_of(one, stated) != session_of(two, also)


def test_a_session_tells_nothing_of_what_the_caller_called_it():
    made = session_of(subject(), b"Quartermaine")
    assert made.startswith("se-")
    assert len(made) == 27
    assert "Quartermaine" not in made


class Ledger:
    def __init__(self, *entries):
        self._entries = entries

    async def revocations(self, after, _now):
        return [entry for entry in self._entries if entry.number > after]

    async def keys(self, _now):
        return ()


async def test_whoever_was_taken_back_is_over_and_nobody_else():
    now = time.time()
    follow = Follow()
    await follow.look(Ledger(Revocation(ISSUER, "ada", None, now, now + 600, "priya", "left", 1)), now)
    assert over(subject(), follow) == "revoked"
    assert over(subject(who="bob"), follow) is None
    assert over(None, follow) == "revoked"


async def test_where_nobody_knows_who_is_out_nothing_goes_on():
    passed = [0.0]
    follow = Follow(lambda: passed[0])
    await follow.look(Ledger(), 0.0)
    passed[0] = PATIENCE
    assert over(subject(), follow) == "interrupted"


@pytest.mark.parametrize(("endless", "seconds"), [(True, ENDLESS_FOR), (False, ANSWERS_FOR)])
def test_a_stream_goes_on_for_some_time_after_its_bearer_has_expired(endless, seconds):
    holder = Subject(ISSUER, "ada", (), frozenset(), expires=1000.0)
    assert not outlived(holder, 1000.0 + seconds, endless=endless)
    assert outlived(holder, 1001.0 + seconds, endless=endless)

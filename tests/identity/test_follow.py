"""What all instances agree on, as one of them sees it."""

import pytest

from phigate.exchange import Subject
from phigate.identity.follow import PATIENCE, Follow
from phigate.identity.jwks import MAX_KEYS
from phigate.identity.strict import to_base64url
from phigate.ledger import GatewayKey, LedgerDown, Revocation
from tests.identity import forge

IDP = "https://idp.example"


class Book:
    """A ledger in memory, which can be taken away."""

    def __init__(self):
        self.entries, self.public, self.down = [], [], False

    async def revocations(self, after, now):
        if self.down:
            raise LedgerDown("down")
        return [entry for entry in self.entries if entry.number > after and entry.expires > now]

    async def keys(self, now):
        return [key for key in self.public if key.expires > now]


class Clock:
    now = 50.0

    def __call__(self):
        return self.now


def out(number, subject="ada"):
    return Revocation(IDP, subject, None, cut=100.0, expires=1000.0, by="eve", reason="lost", number=number)


def key(kid, expires=1000.0, **changed):
    public = {name: value for name, value in forge.jwk_of("EdDSA").items() if name != "kid"} | changed
    return GatewayKey(kid, "gw-1", public, active_from=0.0, expires=expires)


ADA = Subject(IDP, "ada", (), frozenset(), 1000.0, issued=90.0)


async def test_what_was_taken_back_is_known_after_a_look_and_told_once():
    book, follow = Book(), Follow()
    book.entries = [out(1)]
    assert not follow.revoked.covers(ADA)
    assert await follow.look(book, 200.0) == [out(1)]
    assert follow.revoked.covers(ADA)
    assert await follow.look(book, 200.0) == []
    book.entries.append(out(2, "bob"))
    assert await follow.look(book, 200.0) == [out(2, "bob")]
    assert follow.revoked.covers(ADA)


GONE_BACK = [
    ("is as long as before", [out(1), out(2, "mallory")]),
    ("is shorter", [out(1, "mallory")]),
    ("has grown longer", [out(1), out(2, "mallory"), out(3, "carol")]),
]


@pytest.mark.parametrize(("sentence", "entries"), GONE_BACK, ids=[case[0] for case in GONE_BACK])
async def test_nobody_is_missed_in_a_ledger_that_was_put_back_and(sentence, entries):
    book, follow = Book(), Follow()
    book.entries = [out(1), out(2, "bob")]
    await follow.look(book, 200.0)
    book.entries = entries
    assert await follow.look(book, 200.0) == entries
    mallory, bob = (Subject(IDP, who, (), frozenset(), 1000.0, issued=90.0) for who in ("mallory", "bob"))
    assert follow.revoked.covers(mallory)
    assert follow.revoked.covers(bob)  # what was seen once stays
    assert await follow.look(book, 200.0) == []


async def test_an_empty_ledger_that_was_put_back_is_read_from_its_start():
    book, follow = Book(), Follow()
    book.entries = [out(7)]
    await follow.look(book, 200.0)
    book.entries = []
    assert await follow.look(book, 200.0) == []
    book.entries = [out(1, "mallory")]
    assert await follow.look(book, 200.0) == [out(1, "mallory")]


async def test_it_is_current_for_as_long_as_the_ledger_answers():
    book, clock = Book(), Clock()
    follow = Follow(clock)
    assert [follow.current] == [False]
    await follow.look(book, 200.0)
    clock.now += PATIENCE - 0.1
    assert [follow.current] == [True]
    book.down = True
    with pytest.raises(LedgerDown):
        await follow.look(book, 200.0)
    clock.now += 0.1
    assert [follow.current] == [False]
    book.down = False
    await follow.look(book, 200.0)
    assert [follow.current] == [True]


async def test_the_time_a_look_takes_counts_against_it():
    class Slow(Book):
        async def keys(self, now):
            clock.now += PATIENCE
            return await super().keys(now)

    clock = Clock()
    follow = Follow(clock)
    await follow.look(Slow(), 200.0)
    assert [follow.current] == [False]


async def test_the_gateways_keys_are_those_that_are_published():
    book, follow = Book(), Follow()
    book.public = [key("one"), key("two", expires=300.0)]
    await follow.look(book, 200.0)
    first = follow.keyset
    assert first.knows("one")
    assert first.knows("two")
    await follow.look(book, 200.0)
    assert follow.keyset is first
    await follow.look(book, 300.0)
    assert follow.keyset.generation != first.generation
    assert not follow.keyset.knows("two")


def keys(*numbers):
    return [key(f"key-{number}") for number in numbers]


async def test_all_keys_that_are_published_are_believed_however_many_they_are():
    book, follow = Book(), Follow()
    book.public = keys(*range(3 * MAX_KEYS))
    await follow.look(book, 200.0)
    assert len(follow.keyset.keys) == 3 * MAX_KEYS
    book.public.append(key("newest"))
    await follow.look(book, 200.0)
    assert follow.keyset.knows("newest")


async def test_a_key_that_is_gone_from_the_ledger_is_dead_at_the_next_look():
    book, follow = Book(), Follow()
    book.public = keys(*range(2 * MAX_KEYS))
    await follow.look(book, 200.0)
    first = follow.keyset
    del book.public[7]
    await follow.look(book, 200.0)
    assert not follow.keyset.knows("key-7")
    assert len(follow.keyset.keys) == 2 * MAX_KEYS - 1
    assert follow.keyset.generation != first.generation
    book.public = []
    await follow.look(book, 200.0)
    assert follow.keyset.keys == ()


UNUSABLE = [
    ("is none", {"x": "AAAA"}),
    ("is for something else", {"use": "enc"}),
    ("says something that is no JSON of ours", {"deep": [[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]}),
]


@pytest.mark.parametrize(("sentence", "changed"), UNUSABLE, ids=[case[0] for case in UNUSABLE])
async def test_the_others_stay_believed_beside_a_key_that(caplog, sentence, changed):
    book, follow = Book(), Follow()
    book.public = [*keys(1, 2), key("odd", **changed)]
    await follow.look(book, 200.0)
    await follow.look(book, 200.0)
    assert {found.kid for found in follow.keyset.keys} == {"key-1", "key-2"}
    assert [record.message for record in caplog.records] == ["the gateways publish 1 keys that cannot be used"]


async def test_a_key_that_was_replaced_under_its_name_is_the_new_one():
    book, follow = Book(), Follow()
    book.public = [key("one")]
    await follow.look(book, 200.0)
    before = follow.keyset.keys
    book.public = [key("one", x=to_base64url(b"\x03" + bytes(31)))]
    await follow.look(book, 200.0)
    assert [found.kid for found in follow.keyset.keys] == ["one"]
    assert follow.keyset.keys != before

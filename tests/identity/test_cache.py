from __future__ import annotations

from typing import Any

from phigate.identity.cache import LONGEST, Cache
from tests.identity.forge import ISSUER, NOW, mint

KEYS = {ISSUER: 7}


def kept(cache: Cache[str], bearer: str = "a.b.c", **changes: Any) -> Cache[str]:
    said = {"issuer": ISSUER, "expires": NOW + 3600, "now": NOW, "generation": 7} | changes
    cache.put(bearer, "ada", **said)
    return cache


def test_who_was_believed_is_found_again() -> None:
    cache = kept(Cache(lambda: 0.0))
    assert cache.get("a.b.c", NOW + 1, KEYS) == "ada"
    assert cache.get("a.b.d", NOW + 1, KEYS) is None


def test_an_entry_dies_after_five_minutes() -> None:
    cache = kept(Cache(lambda: 0.0))
    assert cache.get("a.b.c", NOW + LONGEST - 0.1, KEYS) == "ada"
    assert cache.get("a.b.c", NOW + LONGEST, KEYS) is None
    assert len(cache) == 0


def test_an_entry_dies_with_its_bearer() -> None:
    cache = kept(Cache(lambda: 0.0), expires=NOW + 10)
    assert cache.get("a.b.c", NOW + 9.9, KEYS) is not None
    assert cache.get("a.b.c", NOW + 10, KEYS) is None


def test_a_bearer_that_lives_on_leeway_is_not_kept() -> None:
    assert len(kept(Cache(lambda: 0.0), expires=NOW - 1)) == 0


def test_an_entry_dies_when_its_issuers_keys_change_or_are_gone() -> None:
    cache: Cache[str] = Cache(lambda: 0.0)
    for keys in ({ISSUER: 8}, {}, {"https://other.example": 7}):
        kept(cache)
        assert cache.get("a.b.c", NOW, keys) is None
    assert len(cache) == 0


def test_all_is_forgotten_at_once() -> None:
    cache = kept(kept(Cache(lambda: 0.0)), "d.e.f")
    cache.clear()
    assert cache.get("a.b.c", NOW, KEYS) is None
    assert len(cache) == 0


def test_the_oldest_leaves_when_there_are_too_many() -> None:
    cache: Cache[str] = Cache(lambda: 0.0, entries=3)
    for number in range(10):
        kept(cache, f"bearer-{number}")
    assert len(cache) == 3
    assert [number for number in range(10) if cache.get(f"bearer-{number}", NOW, KEYS)] == [7, 8, 9]


def test_the_bearer_itself_is_not_kept() -> None:
    bearer = mint()
    cache = kept(Cache(lambda: 0.0), bearer)
    assert bearer not in repr(vars(cache))
    assert bearer.encode() not in repr(vars(cache)).encode()


def test_half_a_character_is_looked_up_like_any_text() -> None:
    assert Cache[str](lambda: 0.0).get("\udc80", NOW, KEYS) is None


def test_where_the_clock_on_the_wall_is_put_back_an_entry_lives_no_longer() -> None:
    steady = iter([100.0, 100.0 + LONGEST - 1, 100.0 + LONGEST])
    cache = kept(Cache(lambda: next(steady)))
    assert cache.get("a.b.c", NOW - 3600, KEYS) == "ada"
    assert cache.get("a.b.c", NOW - 3600, KEYS) is None


def test_what_is_over_leaves_as_others_come() -> None:
    clock = [0.0]
    cache: Cache[str] = Cache(lambda: clock[0])
    for number in range(10):
        kept(cache, f"bearer-{number}", expires=NOW + (9 if number else 20))
    clock[0] = 10.0
    kept(cache, "later", now=NOW + 10)
    assert len(cache) == 11, "the oldest lives still"
    clock[0] = 20.0
    kept(cache, "last", now=NOW + 20)
    assert len(cache) == 2

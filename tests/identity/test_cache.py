from __future__ import annotations

from dataclasses import replace

from phigate.exchange import Subject
from phigate.identity.cache import LONGEST, Cache
from tests.identity.forge import ISSUER, NOW, mint

WHO = Subject(ISSUER, "dr.okafor", ("ward-staff",), frozenset({"clinician"}), NOW + 3600)
KEYS = {ISSUER: 7}


def test_who_was_believed_is_found_again() -> None:
    cache = Cache()
    cache.put("a.b.c", WHO, NOW, 7)
    assert cache.get("a.b.c", NOW + 1, KEYS) is WHO
    assert cache.get("a.b.d", NOW + 1, KEYS) is None


def test_an_entry_dies_after_five_minutes() -> None:
    cache = Cache()
    cache.put("a.b.c", WHO, NOW, 7)
    assert cache.get("a.b.c", NOW + LONGEST - 0.1, KEYS) is WHO
    assert cache.get("a.b.c", NOW + LONGEST, KEYS) is None
    assert len(cache) == 0


def test_an_entry_dies_with_its_bearer() -> None:
    cache = Cache()
    cache.put("a.b.c", replace(WHO, expires=NOW + 10), NOW, 7)
    assert cache.get("a.b.c", NOW + 9.9, KEYS) is not None
    assert cache.get("a.b.c", NOW + 10, KEYS) is None


def test_a_bearer_that_lives_on_leeway_is_not_kept() -> None:
    cache = Cache()
    cache.put("a.b.c", replace(WHO, expires=NOW - 1), NOW, 7)
    assert len(cache) == 0


def test_an_entry_dies_when_its_issuers_keys_change_or_are_gone() -> None:
    cache = Cache()
    for keys in ({ISSUER: 8}, {}, {"https://other.example": 7}):
        cache.put("a.b.c", WHO, NOW, 7)
        assert cache.get("a.b.c", NOW, keys) is None
    assert len(cache) == 0


def test_all_is_forgotten_at_once() -> None:
    cache = Cache()
    cache.put("a.b.c", WHO, NOW, 7)
    cache.clear()
    assert cache.get("a.b.c", NOW, KEYS) is None


def test_the_oldest_leaves_when_there_are_too_many() -> None:
    cache = Cache(entries=3)
    for number in range(10):
        cache.put(f"bearer-{number}", WHO, NOW, 7)
    assert len(cache) == 3
    assert [number for number in range(10) if cache.get(f"bearer-{number}", NOW, KEYS)] == [7, 8, 9]


def test_the_bearer_itself_is_not_kept() -> None:
    cache, bearer = Cache(), mint()
    cache.put(bearer, WHO, NOW, 7)
    assert bearer not in repr(vars(cache))
    assert bearer.encode() not in repr(vars(cache)).encode()


def test_half_a_character_is_looked_up_like_any_text() -> None:
    assert Cache().get("\udc80", NOW, KEYS) is None

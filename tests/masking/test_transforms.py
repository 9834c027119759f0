from __future__ import annotations

import json
import re
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phigate.masking import Detectors, Piece, Secrets, Transformer
from phigate.masking.calendar import read
from phigate.masking.people import Name
from phigate.masking.reversible import decrypt
from phigate.masking.roster import Roster
from phigate.masking.transforms import FEW_PEOPLE, TABLE, codes, scope_of
from phigate.policy.schema import ENTITIES, OTHER, REVEAL, Mask, Transform
from phigate.policy.words import SCOPES, TRANSFORMS

SECRETS = Secrets(b"k" * 32, "e1")


def transformer(name: str, *, keep: int = 4, scope: str = "s") -> Transformer:
    return Transformer(Mask("test", {OTHER: Transform(name, keep)}), SECRETS, scope)


def found(entity: str, text: str, score: float = 0.9) -> Piece:
    return Piece(text, entity, "d", score)


def shown(name: str, entity: str, text: str, *, keep: int = 4, scope: str = "s") -> str:
    return transformer(name, keep=keep, scope=scope).render(found(entity, text))


def test_the_table_has_what_the_policy_can_say() -> None:
    assert list(TABLE) == list(TRANSFORMS)


def test_every_transform_says_whether_it_meets_safe_harbor() -> None:
    said = re.compile(r"(?:Meets|not\s+meet)\s+Safe\s+Harbor")
    assert [name for name, make in TABLE.items() if not said.search(make.__doc__ or "")] == []
    assert [name for name, make in TABLE.items() if name != "keep" and "164.514(" not in (make.__doc__ or "")] == []


@pytest.mark.parametrize(
    ("name", "entity", "text", "result"),
    [
        ("redact", "MRN", "61-83-49", "[MRN]"),
        ("mask", "PHONE_NUMBER", "(318) 555-0147", "(***) ***-****"),
        ("keep-last", "US_SSN", "219-09-9999", "***-**-9999"),
        ("keep-last", "MRN", "A-12", "*-*2"),
        ("keep-last", "MRN", "1", "*"),
        ("keep", "MRN", "61-83-49", "61-83-49"),
        ("year", "DATE_TIME", "March 6th, 1987", "1987"),
        ("year", "DATE_TIME", "May 1987", "1987"),
        ("year", "DATE_TIME", "July 10-15, 2023", "2023"),
        ("year", "DATE_TIME", "Apr 12", "[DATE_TIME]"),
        ("year", "MRN", "2021", "[MRN]"),
        ("zip3", "ZIP", "02139-4307", "021"),
        ("zip3", "ZIP", "03601", "000"),
        ("zip3", "ZIP", "021", "[ZIP]"),
        ("zip3", "MRN", "02139", "[MRN]"),
        ("cap-90", "AGE", "97", "90+"),
        ("cap-90", "DATE_TIME", "3/5/2024", "[DATE_TIME]"),
        ("shift", "MRN", "61-83-49", "[MRN]"),
        ("shift", "DATE_TIME", "sometime", "[DATE_TIME]"),
        ("cap-90", "AGE", "47", "47"),
        ("cap-90", "AGE", "ninety-two", "90+"),
        ("generalise", "LOCATION", "12 Quarry Lane, Salem, MA 01970", "Massachusetts"),
        ("generalise", "LOCATION", "Salem", "[LOCATION]"),
        ("generalise", "ORGANIZATION", "St. Brandt Memorial Hospital", "a hospital"),
        ("generalise", "ORGANIZATION", "Brandt Nursing Home", "a nursing home"),
        ("generalise", "ORGANIZATION", "Brandt & Sons", "an organization"),
        ("generalise", "AGE", "47", "40-49"),
        ("generalise", "AGE", "97", "90+"),
        ("generalise", "AGE", "nineties", "90+"),
        ("generalise", "DATE_TIME", "March 6th, 1987", "1987"),
        ("generalise", "DATE_TIME", "Apr 12", "[DATE_TIME]"),
        ("generalise", "ZIP", "02139", "021"),
        ("generalise", "ZIP", "82150", "000"),
        ("generalise", "PERSON", "Ada Brandt", "[PERSON]"),
        ("generalise", "PHONE_NUMBER", "(318) 555-0147", "[PHONE_NUMBER]"),
        ("mask", "PERSON", 'A "B"\n\\', "*  *   "),
        ("keep-last", "MRN", "12-3\n4", "**-3 4"),
        ("shift", "DATE_TIME", "0001-01-01", "[DATE_TIME]"),
        ("mask", "PERSON", "\u092e\u094b\u0939\u0928", "***"),
        ("mask", "PERSON", "Andre\u0301", "*****"),
        ("keep-last", "MRN", "1\u03362\u03363\u03364\u0336", "**34"),
        ("surrogate", "PERSON", "42", "[PERSON]"),
        ("surrogate", "PERSON", "Dr", "[PERSON]"),
    ],
)
def test_what_a_transform_shows(name: str, entity: str, text: str, result: str) -> None:
    assert shown(name, entity, text) == result


def test_plain_text_passes_every_transform() -> None:
    assert transformer("redact").render(Piece("plain")) == "plain"


def test_a_hash_is_keyed_and_the_same_in_every_scope() -> None:
    one = shown("hash", "MRN", "61-83-49")
    assert one.startswith("MRN_")
    assert len(one) == 16
    assert one == shown("hash", "MRN", "618349", scope="other")
    assert one != Transformer(Mask("t", {OTHER: Transform("hash")}), Secrets(b"k" * 32, "e2"), "s").render(
        found("MRN", "61-83-49")
    )


@given(
    st.dates(date(1971, 1, 1), date(2060, 1, 1)),
    st.dates(date(1971, 1, 1), date(2060, 1, 1)),
    st.sampled_from(["shift", "surrogate"]),
)
def test_shifted_dates_keep_their_intervals_and_are_never_the_same(one: date, other: date, name: str) -> None:
    days = []
    for day in (one, other):
        made = read(shown(name, "DATE_TIME", day.strftime("%B %d, %Y")))
        assert made is not None
        days.append(made.day)
        assert timedelta(1) <= day - made.day <= timedelta(364)
    assert days[1] - days[0] == other - one


def test_scopes_are_shifted_apart() -> None:
    assert len({shown("shift", "DATE_TIME", "2021-03-05", scope=str(each)) for each in range(20)}) > 10


def test_the_mask_chooses_by_entity() -> None:
    mask = Mask("m", {"MRN": Transform("keep-last"), OTHER: Transform("redact")})
    made = Transformer(mask, SECRETS, "s")
    assert [made.render(found(each, "12345678")) for each in ("MRN", "US_SSN", "MRN")] == [
        "****5678",
        "[US_SSN]",
        "****5678",
    ]


def test_a_code_is_sought_under_every_key() -> None:
    old = Secrets(b"o" * 32, "e0")
    both = Secrets(b"k" * 32, "e1", (old,))
    mask = Mask("m", {OTHER: Transform("hash")})
    made = [Transformer(mask, each, "s").render(found("MRN", "61-83-49")) for each in (both, old)]
    assert list(codes("MRN", "618349", both)) == made


@given(st.text(min_size=1, max_size=60))
def test_what_is_encrypted_is_turned_back(text: str) -> None:
    assert decrypt(shown("encrypt", "MRN", text), SECRETS) == text


@given(st.from_regex(r"[0-9]{5}(-[0-9]{4})?", fullmatch=True))
def test_a_zip3_is_of_many_people_or_none(text: str) -> None:
    made = shown("zip3", "ZIP", text)
    assert made == ("000" if text[:3] in FEW_PEOPLE else text[:3])


HOSTILE = st.text(st.sampled_from('"\\\n\t\x00\u2028\ud83dA1-é{}<'), min_size=1, max_size=20)


@given(HOSTILE | st.text(min_size=1, max_size=30), st.sampled_from(sorted(ENTITIES)), st.sampled_from(TRANSFORMS[:-1]))
def test_json_stays_json_even_unescaped(text: str, entity: str, name: str) -> None:
    made = shown(name, entity, text)
    assert json.loads(f'"{made}"') == made


@given(st.text(min_size=1, max_size=30), st.sampled_from(["PERSON", "MRN", "LOCATION", "PHONE_NUMBER"]))
def test_the_same_value_is_shown_the_same_way(text: str, entity: str) -> None:
    for name in ("hash", "surrogate", "encrypt"):
        assert shown(name, entity, text) == shown(name, entity, text)


@given(st.text(min_size=1, max_size=30))
def test_masking_twice_is_masking_once(text: str) -> None:
    once = shown("mask", "MRN", text)
    assert shown("mask", "MRN", once) == once


def test_in_redacted_text_nothing_is_found() -> None:
    text = ", ".join(shown("redact", entity, "x") for entity in sorted(ENTITIES))
    assert Detectors().find(text) == []


@pytest.mark.parametrize(("bias", "least"), [("recall", 0.3), ("balanced", 0.5), ("precision", 0.75)])
def test_what_is_less_sure_than_the_bias_is_shown(bias: str, least: float) -> None:
    made = Transformer(Mask("m", {OTHER: Transform("redact")}, bias=bias), SECRETS, "s")
    pieces = [found("MRN", "61-83-49", score) for score in (0.29, 0.3, 0.49, 0.5, 0.74, 0.75)]
    assert next(piece.score for piece in pieces if made.hides(piece)) == least
    assert [made.render(piece) == "[MRN]" for piece in pieces] == [made.hides(piece) for piece in pieces]


def test_what_is_kept_is_found_and_not_hidden() -> None:
    made = Transformer(REVEAL, SECRETS, "s")
    assert (made.finds(found("MRN", "1")), made.hides(found("MRN", "1")), made.finds(Piece("x"))) == (
        True,
        False,
        False,
    )


def test_a_scope_is_named_by_what_it_spans() -> None:
    masks = {scope: Mask("m", {OTHER: Transform("surrogate")}, scope=scope) for scope in SCOPES}
    known = {name: scope_of(each, exchange="x1", session="s1", subject="iss ada") for name, each in masks.items()}
    assert known == {
        "exchange": "exchange:x1",
        "session": "session:s1",
        "subject": "subject:iss ada",
        "organisation": "organisation:",
    }
    assert scope_of(masks["session"], exchange="x1", session=None, subject=None) == "exchange:x1"
    assert scope_of(masks["subject"], exchange="x1", session="s1", subject=None) == "exchange:x1"


def test_a_stand_in_is_no_real_patient() -> None:
    mask = Mask("m", {OTHER: Transform("surrogate")})
    given, surname = Transformer(mask, SECRETS, "s").render(found("PERSON", "Ada Brandt")).split()
    roster = Roster([Name(given.lower(), (surname.lower(),))])
    made = Transformer(mask, SECRETS, "s", roster).render(found("PERSON", "Ada Brandt"))
    assert made.split()[0] == given
    assert made.split()[1] != surname


def test_a_transform_that_is_not_in_the_table_is_refused_at_construction(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(TABLE, "encrypt")
    with pytest.raises(ValueError, match="mask `test`: no transform `encrypt`"):
        transformer("encrypt")

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phigate.masking import Piece, Secrets, Transformer
from phigate.masking.calendar import read
from phigate.masking.transforms import TABLE
from phigate.policy.schema import OTHER, Mask, Transform
from phigate.policy.words import TRANSFORMS, TRANSFORMS_NOT_HERE

SECRETS = Secrets(b"k" * 32, "e1")


def transformer(name: str, *, keep: int = 4, scope: str = "s") -> Transformer:
    return Transformer(Mask("test", {OTHER: Transform(name, keep)}), SECRETS, scope)


def shown(name: str, entity: str, text: str, *, keep: int = 4, scope: str = "s") -> str:
    return transformer(name, keep=keep, scope=scope).render(Piece(text, entity, "d", 0.9))


def test_the_table_has_what_the_policy_can_say() -> None:
    assert set(TABLE) == set(TRANSFORMS) - TRANSFORMS_NOT_HERE


def test_every_transform_says_whether_it_meets_safe_harbor() -> None:
    assert [name for name, make in TABLE.items() if "meet" not in (make.__doc__ or "").lower()] == []


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
        ("shift", "DATE_TIME", "May 1987", "[DATE_TIME]"),
        ("shift", "DATE_TIME", "0001-01-01", "[DATE_TIME]"),
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
        Piece("61-83-49", "MRN")
    )


@given(
    st.dates(date(1971, 1, 1), date(2060, 1, 1)),
    st.dates(date(1971, 1, 1), date(2060, 1, 1)),
    st.sampled_from(["shift", "surrogate"]),
)
def test_shifted_dates_keep_their_intervals_and_are_never_the_same(one: date, other: date, name: str) -> None:
    days = []
    for day in (one, other):
        found = read(shown(name, "DATE_TIME", day.strftime("%B %d, %Y")))
        assert found is not None
        days.append(found.day)
        assert timedelta(1) <= day - found.day <= timedelta(364)
    assert days[1] - days[0] == other - one


def test_scopes_are_shifted_apart() -> None:
    assert len({shown("shift", "DATE_TIME", "2021-03-05", scope=str(each)) for each in range(20)}) > 10


def test_the_mask_chooses_by_entity() -> None:
    mask = Mask("m", {"MRN": Transform("keep-last"), OTHER: Transform("redact")})
    made = Transformer(mask, SECRETS, "s")
    assert [made.render(Piece("12345678", each)) for each in ("MRN", "US_SSN", "MRN")] == [
        "****5678",
        "[US_SSN]",
        "****5678",
    ]


def test_encrypting_is_refused_at_construction() -> None:
    with pytest.raises(ValueError, match="mask `test`: no transform `encrypt`"):
        transformer("encrypt")

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phigate.masking import Secrets
from phigate.masking.reversible import decrypt, encrypt, reveal

OLD = Secrets(b"o" * 32, "e0")
SECRETS = Secrets(b"k" * 32, "e1", (OLD,))


@given(st.text(min_size=1, max_size=200), st.sampled_from(["MRN", "US_SSN", "PERSON"]))
def test_what_is_encrypted_comes_back_whole(text: str, entity: str) -> None:
    token = encrypt(entity, text, SECRETS)
    assert re.fullmatch(entity + r"\{[a-z2-7]+\}", token)
    assert json.dumps(token) == f'"{token}"'
    assert decrypt(token, SECRETS) == decrypt(token.upper(), SECRETS) == decrypt(token.lower(), SECRETS) == text


def test_half_a_surrogate_pair_comes_back() -> None:
    assert decrypt(encrypt("MRN", "\ud83d", SECRETS), SECRETS) == "\ud83d"


def test_the_same_value_has_the_same_token_under_one_key() -> None:
    assert encrypt("MRN", "61-83-49", SECRETS) == encrypt("MRN", "61-83-49", SECRETS)
    assert encrypt("MRN", "61-83-49", SECRETS)[3:] != encrypt("NPI", "61-83-49", SECRETS)[3:]
    assert encrypt("MRN", "61-83-49", SECRETS) != encrypt("MRN", "61-83-49", OLD)


def test_an_older_key_still_turns_back() -> None:
    assert decrypt(encrypt("MRN", "61-83-49", OLD), SECRETS) == "61-83-49"
    assert decrypt(encrypt("MRN", "61-83-49", SECRETS), OLD) is None


TOKEN = encrypt("MRN", "61-83-49", SECRETS)


@pytest.mark.parametrize(
    "token",
    ["", "MRN", "61-83-49", "MRN{}", TOKEN.replace("MRN", "NPI"), TOKEN[:-2] + "}", TOKEN[:5] + "77" + TOKEN[7:]],
)
def test_what_is_no_token_of_ours_is_nothing(token: str) -> None:
    assert decrypt(token, SECRETS) is None


def test_a_text_is_revealed_token_by_token() -> None:
    text = f"for {TOKEN}, **{TOKEN}** and NPI{{{'a' * 30}}}."
    assert reveal(text, SECRETS) == (f"for 61-83-49, **61-83-49** and NPI{{{'a' * 30}}}.", 2)

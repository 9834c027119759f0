"""ID tokens: one that holds, and each thing that it must not lack."""

import pytest

from phigate.identity.id_token import TABLE, SignIn, Unfit, check_id_token
from phigate.identity.outcome import KeysNeeded, Refused
from tests.identity import forge
from tests.identity.forge import ISSUER, NOW, RULE

WANTED = SignIn(ISSUER, "console", "n-0nce")
SAID = {"iss": ISSUER, "sub": "eve", "aud": "console", "nonce": "n-0nce", "iat": NOW - 5, "exp": NOW + 60}


def settle(said, wanted=WANTED, keys=None, **how):
    keysets = {ISSUER: keys or forge.published()}
    return check_id_token(forge.mint(said, **how), (RULE,), keysets, wanted, NOW)


def without(name):
    return {key: value for key, value in SAID.items() if key != name}


@pytest.mark.parametrize(
    "said",
    [
        SAID,
        SAID | {"aud": ["console"]},
        SAID | {"aud": ["console", "phigate"], "azp": "console"},
        SAID | {"at_hash": "x", "auth_time": NOW - 900},
    ],
)
def test_one_that_holds_tells_who_signed_in(said):
    assert settle(said) == "eve"


BAD = [
    ("id-token-event", SAID | {"events": {}}),
    ("id-token-audience", without("aud")),
    ("id-token-audience", SAID | {"aud": "phigate"}),
    ("id-token-audience", SAID | {"aud": {"console": 1}}),
    ("id-token-audience", SAID | {"aud": ["console", "phigate"]}),
    ("id-token-audience", SAID | {"azp": "another"}),
    ("id-token-nonce", without("nonce")),
    ("id-token-nonce", SAID | {"nonce": "another"}),
    ("id-token-nonce", SAID | {"nonce": ["n-0nce"]}),
    ("id-token-expired", without("exp")),
    ("id-token-expired", SAID | {"exp": NOW}),
    ("id-token-expired", SAID | {"exp": True}),
    ("id-token-expired", SAID | {"nbf": NOW + 60}),
    ("id-token-expired", SAID | {"nbf": "soon"}),
    ("id-token-issued", without("iat")),
    ("id-token-issued", SAID | {"iat": NOW + 60}),
    ("id-token-issued", SAID | {"iat": NOW - 90_000}),
    ("id-token-subject", without("sub")),
    ("id-token-subject", SAID | {"sub": ""}),
    ("id-token-subject", SAID | {"sub": 7}),
]


@pytest.mark.parametrize(("reason", "said"), BAD)
def test_what_it_must_not_lack(reason, said):
    assert settle(said) == Unfit(reason)


def test_every_line_of_the_table_has_its_case():
    assert {reason for reason, _ in TABLE} == {reason for reason, _ in BAD}


def test_another_issuers_is_none():
    assert settle(SAID | {"iss": forge.OTHER_ISSUER}) == Refused("issuer-unknown")
    assert settle(SAID, SignIn(forge.OTHER_ISSUER, "console", "n-0nce")) == Refused("issuer-unknown")


def test_one_by_another_key_is_none():
    assert settle(SAID, key=forge.private_key("rsa-other")) == Refused("signature-invalid")
    assert settle(SAID, keys=forge.other_keys()) == KeysNeeded(ISSUER, "rsa")
    raw = forge.mint(SAID)
    assert check_id_token(raw, (RULE,), {}, WANTED, NOW) == KeysNeeded(ISSUER, forge.header()["kid"])
    assert isinstance(check_id_token(raw[:-8], (RULE,), {ISSUER: forge.published()}, WANTED, NOW), Refused)


def test_nothing_that_comes_raises():
    assert check_id_token("\ud800", (RULE,), {}, WANTED, NOW) == Refused("malformed")

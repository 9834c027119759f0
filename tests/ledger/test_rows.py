import pytest

from phigate.ledger import GatewayKey, Revocation

PUBLIC = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}


def test_a_revocation_is_of_a_subject_or_of_one_bearer():
    assert Revocation("i", "ada", None, 1.0, 2.0, "eve", "lost").jti is None
    assert Revocation("i", None, "j", 1.0, 2.0, "eve", "lost").subject is None
    for subject, jti in ((None, None), ("ada", "j")):
        with pytest.raises(ValueError, match=r"^a revocation is of a subject or of one bearer$"):
            Revocation("i", subject, jti, 1.0, 2.0, "eve", "lost")


@pytest.mark.parametrize("bad", ["nul\0", "first half \ud800", "second half \udfff"])
@pytest.mark.parametrize("place", ["issuer", "subject", "jti", "by", "reason"])
def test_what_no_database_keeps_is_no_revocation(place, bad):
    said = {"issuer": "i", "subject": None, "jti": None, "cut": 1.0, "expires": 2.0, "by": "eve", "reason": "lost"}
    said |= {"subject": "ada"} if place != "jti" else {}
    with pytest.raises(ValueError, match=r"^a revocation holds a character that cannot be stored$"):
        Revocation(**said | {place: bad})


def test_other_characters_are_kept():
    assert Revocation("i", "\u4e2d \U0001f600 \ud7ff\ue000", None, 1.0, 2.0, "", "\n").subject is not None


@pytest.mark.parametrize("member", ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"])
def test_a_private_key_is_never_published(member):
    with pytest.raises(ValueError, match=r"^a private key is never published$"):
        GatewayKey("kid", "gw", {**PUBLIC, member: "AAAA"}, 1.0, 2.0)


@pytest.mark.parametrize("public", [{}, {"kty": 1}, [], None, "OKP"])
def test_what_is_no_key_is_not_published(public):
    with pytest.raises(ValueError, match=r"^a gateway's key is published as a JWK$"):
        GatewayKey("kid", "gw", public, 1.0, 2.0)


def test_whom_it_is_about_is_not_in_what_is_printed():
    shown = repr(Revocation("i", "ada lovelace", None, 1.0, 2.0, "eve", "a lost phone"))
    assert "number=0" in shown
    assert not {word for word in ("ada", "eve", "phone") if word in shown}
    assert PUBLIC["x"] not in repr(GatewayKey("kid", "gw", PUBLIC, 1.0, 2.0))

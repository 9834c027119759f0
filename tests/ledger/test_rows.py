"""What can stand in the ledger at all."""

import pytest

from phigate.ledger import GatewayKey, Revocation


@pytest.mark.parametrize(("subject", "jti"), [(None, None), ("ada", "one")])
def test_a_revocation_is_of_a_subject_or_of_one_bearer(subject, jti):
    with pytest.raises(ValueError, match="subject or of one bearer"):
        Revocation("https://idp.example", subject, jti, 1.0, 2.0, "eve", "lost")


@pytest.mark.parametrize("member", ["d", "p", "k"])
def test_a_private_key_is_never_published(member):
    with pytest.raises(ValueError, match="private") as raised:
        GatewayKey("kid", "one", {"kty": "OKP", member: "c2VjcmV0"}, 0.0, 1.0)
    assert "c2VjcmV0" not in str(raised.value)


def test_a_key_does_not_show_itself():
    assert "AAAA" not in repr(GatewayKey("kid", "one", {"kty": "OKP", "x": "AAAA"}, 0.0, 1.0))

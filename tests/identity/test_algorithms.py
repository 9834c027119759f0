from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from phigate.identity.algorithms import ALGORITHMS
from phigate.identity.strict import from_base64url
from phigate.policy.words import ALGORITHMS as POLICY_ALGORITHMS
from tests.identity.forge import ALL, key_for, private_key, sign_with


def raw(text: str) -> bytes:
    found = from_base64url(text)
    assert found is not None
    return found


def test_the_table_is_what_a_policy_may_say() -> None:
    assert set(ALGORITHMS) == set(POLICY_ALGORITHMS) == set(ALL)


@pytest.mark.parametrize("alg", ALL)
def test_a_signature_is_told_from_another(alg: str) -> None:
    key = private_key(key_for(alg))
    check = ALGORITHMS[alg].ready(key.public_key())
    signature = sign_with(key, alg, b"message")
    assert check.verify(b"message", signature)
    assert not check.verify(b"massage", signature)
    assert not check.verify(b"message", signature[:-1] + bytes([signature[-1] ^ 1]))
    assert not check.verify(b"message", signature + b"\0")
    assert not check.verify(b"message", b"")


@pytest.mark.parametrize(("alg", "other"), [("RS256", "PS256"), ("PS256", "RS256"), ("PS256", "PS512")])
def test_one_rsa_algorithm_is_not_another(alg: str, other: str) -> None:
    key = private_key("rsa")
    assert not ALGORITHMS[other].ready(key.public_key()).verify(b"message", sign_with(key, alg, b"message"))


def test_the_example_of_rfc_8037_appendix_a_4() -> None:
    key = ed25519.Ed25519PublicKey.from_public_bytes(raw("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"))
    signed = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc"
    signature = raw("hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg")
    assert ALGORITHMS["EdDSA"].ready(key).verify(signed, signature)


def test_the_example_of_rfc_7515_appendix_a_3() -> None:
    x = int.from_bytes(raw("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"))
    y = int.from_bytes(raw("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"))
    key = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    signed = (
        b"eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQog"
        b"Imh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
    )
    signature = raw("DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q")
    assert ALGORITHMS["ES256"].ready(key).verify(signed, signature)

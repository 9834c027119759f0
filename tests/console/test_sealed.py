"""What a browser keeps for us: opened under its name only, by every key that is still known."""

import pytest

from phigate.console.sealed import Sealed
from phigate.masking.secrets import Secrets

OLD = Secrets(b"o" * 32, "1")
NEW = Secrets(b"n" * 32, "2", (OLD,))
NONCE = b"\x01" * 12


def sealed(secrets):
    return Sealed(tuple(each.digest for each in secrets.every))


def test_what_was_closed_is_opened():
    closed = sealed(OLD).close("begun-1", b"jane", NONCE)
    assert "jane" not in closed
    assert sealed(OLD).open("begun-1", closed) == b"jane"


def test_it_is_opened_by_an_instance_whose_newest_key_is_another():
    assert sealed(NEW).open("begun-1", sealed(OLD).close("begun-1", b"jane", NONCE)) == b"jane"
    assert sealed(OLD).open("begun-1", sealed(NEW).close("begun-1", b"jane", NONCE)) is None


def test_under_another_name_it_is_nothing():
    assert sealed(OLD).open("begun-2", sealed(OLD).close("begun-1", b"jane", NONCE)) is None


def test_whatever_is_changed_makes_it_nothing():
    closed = sealed(OLD).close("begun-1", b"jane", NONCE)
    for at in range(len(closed)):
        other = "A" if closed[at] != "A" else "B"
        assert sealed(OLD).open("begun-1", closed[:at] + other + closed[at + 1 :]) is None


@pytest.mark.parametrize("text", ["", "x", "AAAA", "A" * 16, "A" * 17, "%", "é", "A" * 5000])
def test_anything_else_is_nothing(text):
    assert sealed(OLD).open("begun-1", text) is None

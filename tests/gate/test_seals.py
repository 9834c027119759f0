"""What a server keeps for one caller is named by nobody else."""

import pytest

from phigate.gate.seals import Seal
from phigate.masking import Secrets

OLD, NEW = Secrets(b"o" * 32, "1"), Secrets(b"n" * 32, "2")


def seal(who="ada", issuer="https://idp.example", keys=(NEW,)):
    return Seal((issuer, who), tuple(key.digest for key in keys))


def test_its_owner_opens_what_was_sealed():
    told = seal().tell("3f2b.8a")
    assert told.startswith("3f2b.8a.")
    assert seal().read(told) == "3f2b.8a"


@pytest.mark.parametrize(
    ("sentence", "other"),
    [
        ("another person", seal("bob")),
        ("the same name at another issuer", seal(issuer="https://other.example")),
        ("an owner whose halves are cut elsewhere", seal("eada", "https://idp.exampl")),
        ("another key", seal(keys=(OLD,))),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_nobody_else_does(sentence, other):
    assert other.read(seal().tell("3f2b")) is None


@pytest.mark.parametrize("told", ["", "3f2b", "3f2b.", ".", "3f2b.AAAAAAAAAAAAAAAAAAAAAA", "3f2b.é"])
def test_what_was_never_sealed_is_not_opened(told):
    assert seal().read(told) is None


def test_a_seal_holds_for_its_own_name_only():
    _, _, mark = seal().tell("3f2b").rpartition(".")
    assert seal().read(f"3f2c.{mark}") is None


def test_what_an_older_key_sealed_is_still_opened():
    told = seal(keys=(OLD,)).tell("3f2b")
    assert seal(keys=(NEW, OLD)).read(told) == "3f2b"
    assert seal(keys=(NEW, OLD)).tell("3f2b") != told

from __future__ import annotations

import pytest

from phigate.masking import Secrets
from phigate.masking.secrets import SecretsFault, parse_secrets

ONE, TWO = "ab" * 32, "cd" * 40


def test_a_short_key_is_refused() -> None:
    with pytest.raises(ValueError, match="shorter than 32 bytes"):
        Secrets(b"short", "e1")


def test_the_key_is_in_no_repr() -> None:
    assert "kkk" not in repr(Secrets(b"k" * 32, "e1", (Secrets(b"k" * 32, "e0"),)))


def test_where_one_part_ends_counts() -> None:
    secrets = Secrets(b"k" * 32, "e1")
    assert secrets.digest("ab", "c") != secrets.digest("a", "bc")
    assert secrets.digest("a") != Secrets(b"j" * 32, "e1").digest("a")
    assert len(secrets.digest("\ud83d")) == 32


def test_the_last_key_is_the_current_one() -> None:
    secrets = parse_secrets(f"# keys\n2024 {ONE}\n\n2025-b\t{TWO}\n2026 {ONE}\n", "keys")
    assert [each.epoch for each in secrets.every] == ["2026", "2025-b", "2024"]
    assert secrets.key == bytes.fromhex(ONE)
    assert secrets.older[0].key == bytes.fromhex(TWO)


def test_one_line_is_one_key() -> None:
    assert parse_secrets(f"1 {ONE}", "keys") == Secrets(bytes.fromhex(ONE), "1")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "keys: expected `EPOCH KEY`, the key 64 hexadecimal digits or more"),
        (f"1 {ONE}\n{TWO}", "keys:2: expected `EPOCH KEY`, the key 64 hexadecimal digits or more"),
        (f"1 {ONE[:-2]}", "keys:1: expected `EPOCH KEY`, the key 64 hexadecimal digits or more"),
        (f"1 {ONE}a", "keys:1: expected `EPOCH KEY`, the key 64 hexadecimal digits or more"),
        (f"1 {ONE}\n1 {TWO}", "keys:2: epoch `1` stands twice"),
    ],
)
def test_keys_that_cannot_be_read_say_where_and_nothing_else(text: str, fault: str) -> None:
    with pytest.raises(SecretsFault) as caught:
        parse_secrets(text, "keys")
    assert str(caught.value) == fault

from __future__ import annotations

import pytest

from phigate.masking import Secrets


def test_a_short_key_is_refused() -> None:
    with pytest.raises(ValueError, match="shorter than 32 bytes"):
        Secrets(b"short", "e1")


def test_the_key_is_in_no_repr() -> None:
    assert "kkk" not in repr(Secrets(b"k" * 32, "e1"))


def test_where_one_part_ends_counts() -> None:
    secrets = Secrets(b"k" * 32, "e1")
    assert secrets.digest("ab", "c") != secrets.digest("a", "bc")
    assert secrets.digest("a") != Secrets(b"j" * 32, "e1").digest("a")
    assert len(secrets.digest("\ud83d")) == 32

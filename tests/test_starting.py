"""Secrets that options only name: files for their owner alone, or the environment; each fault is the operator's."""

import stat

import pytest

from phigate.masking import Secrets
from phigate.starting import StartFault, ledger_url, read_secrets

KEY = "ab" * 32


def test_keys_are_made_at_first_use_for_their_owner_only(tmp_path):
    path = tmp_path / "keys" / "secrets"
    made = read_secrets(str(path))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert read_secrets(str(path)) == made
    assert read_secrets(str(tmp_path / "other")) != made


def test_keys_may_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("PHIGATE_KEYS", f"2026 {KEY}\n")
    made = read_secrets("env:PHIGATE_KEYS")
    assert (made.key, made.epoch) == (bytes.fromhex(KEY), "2026")


def test_the_ledgers_url_stands_in_the_option_or_in_a_variable_that_it_names(monkeypatch):
    monkeypatch.setenv("PHIGATE_LEDGER", "postgresql+asyncpg://ledger")
    assert ledger_url("sqlite+aiosqlite:///ledger.db") == "sqlite+aiosqlite:///ledger.db"
    assert ledger_url("env:PHIGATE_LEDGER") == "postgresql+asyncpg://ledger"
    with pytest.raises(StartFault, match="the environment variable `PHIGATE_NO_SUCH_LEDGER` is not set"):
        ledger_url("env:PHIGATE_NO_SUCH_LEDGER")


def test_nobody_sees_keys_by_accident():
    assert KEY not in repr(read_secrets.__doc__)
    made = Secrets(key=bytes.fromhex(KEY), epoch="1")
    assert KEY not in repr(made)
    assert repr(bytes.fromhex(KEY)) not in repr(made)

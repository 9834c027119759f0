"""What went wrong in a database, in one of a few words, counted and told for a minute."""

import sqlite3

import asyncpg  # type: ignore[import-untyped]  # ships no types
import pytest
from sqlalchemy.exc import OperationalError

from phigate.ledger import LedgerDown
from phigate.ledger.faults import LATELY, Faults, why_of
from tests.ledger import peers
from tests.ledger.peers import NOW


def sqlite(name):
    error = sqlite3.OperationalError("Quartermaine")
    error.sqlite_errorname = name
    return error


KNOWN = [
    (TimeoutError(), "timed-out"),
    (ConnectionRefusedError(), "unreachable"),
    (sqlite("SQLITE_BUSY"), "held"),
    (sqlite("SQLITE_BUSY_SNAPSHOT"), "held"),
    (sqlite("SQLITE_FULL"), "full"),
    (sqlite("SQLITE_READONLY_DBMOVED"), "read-only"),
    (sqlite("SQLITE_CANTOPEN"), "gone"),
    (sqlite("SQLITE_CORRUPT"), "damaged"),
    (sqlite("SQLITE_ERROR"), "failed"),
    (asyncpg.QueryCanceledError(), "timed-out"),
    (asyncpg.ReadOnlySQLTransactionError(), "read-only"),
    (asyncpg.DiskFullError(), "full"),
    (asyncpg.InvalidPasswordError(), "refused"),
    (asyncpg.UndefinedTableError(), "gone"),
    (ValueError("Quartermaine"), "failed"),
]


@pytest.mark.parametrize(("error", "why"), KNOWN, ids=[f"{type(error).__name__}-{why}" for error, why in KNOWN])
def test_it_has_a_word_however_it_is_wrapped(error, why):
    assert why_of(error) == why
    wrapped = OperationalError("SELECT", {}, error)
    outer = RuntimeError()
    outer.__cause__ = wrapped
    assert why_of(outer) == why


def test_faults_are_counted_for_good_and_told_for_a_minute():
    now = [50.0]
    faults = Faults(lambda: now[0])
    assert faults.remarks() == {}
    for error in (sqlite("SQLITE_FULL"), sqlite("SQLITE_FULL"), TimeoutError()):
        faults.count(error)
    assert faults.remarks() == {"ledger": "it did not do what was asked, in the last minute: full 2, timed-out 1"}
    now[0] += LATELY
    assert faults.remarks() == {}
    assert faults.total == {"full": 2, "timed-out": 1}


async def test_what_a_ledger_does_not_do_is_counted(ledger, ledger_url):
    peers.execute(ledger_url, "DROP TABLE phigate_revoked")
    with pytest.raises(LedgerDown):
        await ledger.revocations(0, NOW)
    assert ledger.faults.total.total() == 1

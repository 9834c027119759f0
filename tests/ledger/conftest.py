"""Each database that a ledger may stand in."""

import pytest

from phigate.ledger import open_ledger
from tests.postgres import postgres


@pytest.fixture
def sqlite_url(tmp_path):
    return f"sqlite+aiosqlite:///{tmp_path}/var/ledger.db"


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger_url(request):
    return request.getfixturevalue({"sqlite": "sqlite_url", "postgresql": "postgres_url"}[request.param])


@pytest.fixture
async def ledger(ledger_url):
    opened = await open_ledger(ledger_url)
    yield opened
    await opened.close()


@pytest.fixture
def own_server(postgres_server):
    """A server that a test may stop and freeze; where there is none the session's has said so."""
    with postgres() as server:
        yield server

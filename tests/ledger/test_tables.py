import pytest
from sqlalchemy import NullPool, inspect
from sqlalchemy.ext.asyncio import create_async_engine

from phigate.ledger import open_ledger
from phigate.ledger.tables import METADATA


def shape(connection):
    """What the steps made, as far as both databases tell it in the same words."""
    found = inspect(connection)
    return {
        name: (
            {column["name"]: column["nullable"] for column in found.get_columns(name)},
            set(found.get_pk_constraint(name)["constrained_columns"]),
            {tuple(index["column_names"]) for index in found.get_indexes(name)},
        )
        for name in found.get_table_names()
    }


async def shape_at(url):
    engine = create_async_engine(url, poolclass=NullPool)
    async with engine.connect() as connection:
        return await connection.run_sync(shape)


async def test_the_steps_lead_to_the_tables_that_the_code_reads(ledger_url, tmp_path):
    await (await open_ledger(ledger_url)).close()
    today = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/today.db", poolclass=NullPool)
    async with today.begin() as connection:
        await connection.run_sync(METADATA.create_all)
        wanted = await connection.run_sync(shape)
    assert await shape_at(ledger_url) == wanted
    assert wanted["phigate_spent"] == (
        {"kind": False, "digest": False, "expires": False},
        {"kind", "digest"},
        {("expires",)},
    )


@pytest.mark.parametrize("table", METADATA.tables.values(), ids=str)
def test_every_table_says_whose_it_is(table):
    assert table.name.startswith("phigate_")

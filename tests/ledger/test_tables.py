"""The steps to today's tables."""

from sqlalchemy import create_engine, inspect

from phigate.ledger.tables import METADATA, STEPS, VERSIONS


def test_the_steps_lead_to_the_tables_that_the_code_reads():
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        for step in STEPS:
            for statement in step:
                connection.exec_driver_sql(statement)
        found = inspect(connection)
        wanted = {table.name: table for table in METADATA.tables.values() if table is not VERSIONS}
        assert set(found.get_table_names()) == set(wanted)
        for name, table in wanted.items():
            assert {column["name"] for column in found.get_columns(name)} == {column.name for column in table.columns}
    engine.dispose()

import asyncio

import pytest

from phigate.ledger.spending import Spending


def key(number):
    return "token", b"%03d" % number


class Table:
    """The table and the commit's time; `broken` is raised by the next statements."""

    def __init__(self):
        self.rows, self.statements, self.broken = {}, [], None

    async def insert(self, rows):
        self.statements.append(list(rows.items()))
        await asyncio.sleep(0.01)
        if self.broken:
            raise self.broken
        new = rows.keys() - self.rows.keys()
        self.rows |= {each: rows[each] for each in new}
        return new


@pytest.fixture
def table():
    return Table()


async def test_a_lone_caller_does_not_wait_for_company(table):
    spending = Spending(table.insert)
    assert await spending.spend(key(1), 5.0)
    assert not await spending.spend(key(1), 5.0)
    assert table.statements == [[(key(1), 5.0)]] * 2


async def test_callers_at_once_are_one_statement_in_the_order_of_the_keys(table):
    spending = Spending(table.insert)
    outcomes = await asyncio.gather(*(spending.spend(key(number), 5.0) for number in (9, 3, 7, 1)))
    assert outcomes == [True] * 4
    assert table.statements == [[(key(number), 5.0) for number in (1, 3, 7, 9)]]


async def test_those_who_come_while_a_statement_is_under_way_are_the_next(table):
    spending = Spending(table.insert)
    first = asyncio.create_task(spending.spend(key(1), 5.0))
    await asyncio.sleep(0.001)
    assert await asyncio.gather(*(spending.spend(key(number), 5.0) for number in (1, 2, 3))) == [False, True, True]
    assert await first
    assert [len(statement) for statement in table.statements] == [1, 3]


async def test_of_several_with_one_key_the_first_wins_and_the_latest_time_stays(table):
    spending = Spending(table.insert)
    outcomes = await asyncio.gather(*(spending.spend(key(1), expires) for expires in (1.0, 5.0, 3.0)))
    assert outcomes == [True, False, False]
    assert table.statements == [[(key(1), 5.0)]]


async def test_a_crowd_is_several_statements(table):
    spending = Spending(table.insert)
    outcomes = await asyncio.gather(*(spending.spend(("token", b"%d" % number), 5.0) for number in range(1200)))
    assert outcomes == [True] * 1200
    assert [len(statement) for statement in table.statements] == [500, 500, 200]


async def test_what_breaks_is_everybody_s_and_the_next_try_again(table):
    spending, table.broken = Spending(table.insert), ZeroDivisionError()
    outcomes = await asyncio.gather(*(spending.spend(key(number), 5.0) for number in range(3)), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [ZeroDivisionError] * 3
    table.broken = None
    assert await spending.spend(key(1), 5.0)


async def test_for_those_who_left_while_they_waited_nothing_is_spent(table):
    spending = Spending(table.insert)
    first = asyncio.create_task(spending.spend(key(1), 5.0))
    await asyncio.sleep(0.001)
    gone = asyncio.create_task(spending.spend(key(2), 5.0))
    await asyncio.sleep(0.001)
    gone.cancel()
    assert await spending.spend(key(3), 5.0)
    assert await first
    assert table.rows.keys() == {key(1), key(3)}


@pytest.mark.parametrize("broken", [None, ZeroDivisionError()], ids=["done", "broken"])
async def test_one_who_leaves_in_the_middle_takes_nobody_along(table, broken):
    spending, table.broken = Spending(table.insert), broken
    gone, stays = (asyncio.create_task(spending.spend(key(number), 5.0)) for number in (1, 2))
    await asyncio.sleep(0.001)
    gone.cancel()
    (outcome,) = await asyncio.gather(stays, return_exceptions=True)
    assert type(outcome) is (bool if broken is None else ZeroDivisionError)
    assert gone.cancelled()


async def test_one_who_leaves_in_the_middle_has_spent(table):
    spending = Spending(table.insert)
    gone, second = (asyncio.create_task(spending.spend(key(1), 5.0)) for _ in range(2))
    await asyncio.sleep(0.001)
    gone.cancel()
    assert not await second

"""Names are looked up apart from all other work, and one that hangs keeps nobody else."""

import asyncio
import socket
import threading

import pytest

from phigate.host.connections import names
from phigate.host.connections.names import Names

HERE = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 80))]


class Resolver:
    """One whose answers come once `go` is set."""

    def __init__(self):
        self.go, self.asked = threading.Event(), []

    def __call__(self, host, *_rest):
        self.asked.append(host)
        if host.startswith("slow"):
            assert self.go.wait(10)
        if host.endswith("gone"):
            raise socket.gaierror(-2, "Name or service not known")
        return HERE


@pytest.fixture
def resolver():
    made = Resolver()
    yield made
    made.go.set()


async def test_what_a_name_means_comes_back(resolver):
    assert await Names(resolver).look_up("ward", 80, type=socket.SOCK_STREAM) == HERE
    assert resolver.asked == ["ward"]


async def test_one_that_is_not_known_is_an_os_error_also_where_nobody_waits_for_it(resolver):
    looking = Names(resolver)
    with pytest.raises(OSError, match="not known"):
        await looking.look_up("gone", 80)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await looking.look_up("slow.gone", 80)
    resolver.go.set()
    await asyncio.sleep(0.05)


async def test_who_asks_for_the_same_name_shares_its_answer(resolver):
    looking = Names(resolver)
    asking = [asyncio.create_task(looking.look_up("slow", 80)) for _ in range(100)]
    await asyncio.sleep(0.05)
    asking[0].cancel()
    resolver.go.set()
    assert await asyncio.gather(*asking[1:]) == [HERE] * 99
    assert resolver.asked == ["slow"]
    assert await looking.look_up("slow", 80) == HERE
    assert resolver.asked == ["slow"] * 2


async def test_names_that_hang_take_so_many_threads_and_no_other_work_waits_for_them(resolver):
    looking = Names(resolver)
    asking = [asyncio.create_task(looking.look_up(f"slow{each}", 80)) for each in range(names.AT_ONCE + 4)]
    await asyncio.sleep(0.05)
    assert len(resolver.asked) == names.AT_ONCE
    assert await asyncio.wait_for(asyncio.to_thread(lambda: 7), 5) == 7
    resolver.go.set()
    assert await asyncio.gather(*asking) == [HERE] * len(asking)


async def test_everything_that_connects_in_the_loop_asks_here(monkeypatch, resolver):
    loop = asyncio.get_running_loop()
    monkeypatch.setattr(loop, "getaddrinfo", loop.getaddrinfo)
    monkeypatch.setattr(names, "Names", lambda: Names(resolver))
    names.install(loop)
    with pytest.raises(OSError, match="not known"):
        await asyncio.open_connection("ward.gone", 80)
    assert resolver.asked == ["ward.gone"]

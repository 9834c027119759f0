"""An event meets what it met before: the same addons, in the same order, under the same rules."""

import pytest
from mitmproxy import exceptions
from mitmproxy.addonmanager import AddonManager
from mitmproxy.hooks import UpdateHook
from mitmproxy.proxy.layers.http import HttpRequestHook
from mitmproxy.test import taddons, tflow

from phigate.host.dispatch import Dispatch


class Told:
    """An addon that says when it is asked, and may hold others."""

    def __init__(self, name, log, *inner, does=None):
        self.name, self.log, self.addons, self.does = name, log, list(inner), does

    def request(self, flow):
        self.log.append(self.name)
        if self.does:
            raise self.does


class Patient(Told):
    async def request(self, flow):
        self.log.append(f"{self.name}, awaited")


class Deaf:
    name = "deaf"


def chain(log, broken=None):
    """Two addons with two more in each; the first of the first may raise."""
    first = Told("a", log, Told("a1", log, does=broken), Patient("a2", log))
    return [first, Deaf(), Told("b", log, Told("b1", log), Told("b2", log))]


async def met(addons, log, install):
    """Who was asked about one request, with and without Dispatch."""
    with taddons.context(*addons) as context:
        if install:
            Dispatch(context.master.addons).install()
        log.clear()
        await context.master.addons.handle_lifecycle(HttpRequestHook(tflow.tflow()))
        return list(log)


RAISED = [
    ("nothing", None),
    ("an exception", RuntimeError("Quartermaine")),
    ("a halt", exceptions.AddonHalt()),
]


@pytest.mark.parametrize(("sentence", "broken"), RAISED, ids=[case[0] for case in RAISED])
async def test_who_is_asked_is_the_same_with_and_without_it_if_an_addon_raises(sentence, broken):
    log: list[str] = []
    without = await met(chain(log, broken), log, install=False)
    assert await met(chain(log, broken), log, install=True) == without
    assert without[:2] == ["a", "a1"]


async def test_an_exception_skips_the_rest_of_its_own_addon_and_of_no_other():
    log: list[str] = []
    assert await met(chain(log, RuntimeError()), log, install=True) == ["a", "a1", "b", "b1", "b2"]


async def test_a_fault_of_an_option_goes_through():
    log: list[str] = []
    with taddons.context(Told("a", log, does=exceptions.OptionsError("x"))) as context:
        Dispatch(context.master.addons).install()
        with pytest.raises(exceptions.OptionsError):
            await context.master.addons.trigger_event(HttpRequestHook(tflow.tflow()))


@pytest.fixture
async def manager():
    with taddons.context() as context:
        Dispatch(context.master.addons).install()
        yield context.master.addons


async def asked(manager: AddonManager, log):
    log.clear()
    await manager.trigger_event(HttpRequestHook(tflow.tflow()))
    return list(log)


async def test_an_addon_that_leaves_is_no_longer_asked(manager):
    log: list[str] = []
    gone = Told("gone", log)
    manager.add(gone)
    assert await asked(manager, log) == ["gone"]
    manager.remove(gone)
    assert await asked(manager, log) == []


async def test_a_chain_in_another_order_is_asked_in_that_order(manager):
    log: list[str] = []
    manager.add(Told("a", log), Told("b", log))
    assert await asked(manager, log) == ["a", "b"]
    manager.chain = list(reversed(manager.chain))
    assert await asked(manager, log) == ["b", "a"]


async def test_whoever_wants_to_know_of_changed_flows_is_told(manager):
    class Watching:
        def __init__(self):
            self.seen = []

        def update(self, flows):
            self.seen += flows

    watching, flow = Watching(), tflow.tflow()
    manager.add(watching)
    await manager.handle_lifecycle(HttpRequestHook(flow))
    assert watching.seen == [flow]
    await manager.trigger_event(UpdateHook([flow]))
    assert watching.seen == [flow, flow]

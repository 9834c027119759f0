"""Which options and commands a live gateway has left."""

import pytest
from mitmproxy.addons import default_addons
from mitmproxy.master import Master
from mitmproxy.options import Options

from phigate.host import options

GOOD = {"mode": ["reverse:http://127.0.0.1:8000"], "scripts": ["gateway.py"]}


def test_a_reverse_proxy_with_one_script_may_run():
    assert options.faults(GOOD) == []


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"mode": ["regular"]}, "`regular`"),
        ({"mode": ["reverse:tcp://127.0.0.1:1"]}, "reverse:tcp"),
        ({"mode": ["reverse:http://127.0.0.1:8000", "socks5"]}, "socks5"),
        ({"mode": ["transparent"]}, "transparent"),
        ({"mode": []}, "a mode is needed"),
        ({"scripts": ["gateway.py", "other.py"]}, "one script"),
        ({"scripts": []}, "one script"),
        ({"ssl_insecure": True}, "ssl_insecure"),
        ({"validate_inbound_headers": False}, "validate_inbound_headers"),
        ({"ignore_hosts": [".*"]}, "ignore_hosts"),
        ({"map_remote": ["|a|b"]}, "map_remote"),
        ({"rfile": "flows"}, "rfile"),
        ({"server": False}, "server"),
        ({"intercept": "~all"}, "intercept"),
    ],
    ids=str,
)
def test_whatever_opens_a_way_past_is_a_fault(changed, named):
    found = options.faults(GOOD | changed)
    assert len(found) == 1
    assert named in found[0]


async def test_every_option_of_the_tables_exists_in_this_mitmproxy():
    master = Master(Options())
    master.addons.add(*default_addons())
    known = set(master.options.keys()) | {"rfile", "intercept"}  # these two come with the UIs
    assert (set(options.FORCED) | set(options.REQUIRED) | set(options.DEFAULTS)) <= known


@pytest.mark.parametrize(
    "name",
    [
        "scripts",
        "mode",
        "ignore_hosts",
        "server",
        "listen_port",
        "phi_policy",
        "save_stream_file",
        "hardump",
        "body_size_limit",
    ],
)
def test_what_matters_cannot_change_while_it_runs(name):
    assert not options.changeable(name)


@pytest.mark.parametrize(
    "name",
    [
        "script.run",
        "replay.client",
        "inject.websocket",
        "view.flows.load",
        "flow.set",
        "flow.resume",
        "flow.kill",
        "options.load",
        "browser.start",
    ],
)
def test_commands_that_touch_traffic_are_locked(name):
    assert not options.permitted_command(name)


@pytest.mark.parametrize("name", ["view.flows.resolve", "flow.mark", "phi.policy", "set"])
def test_commands_over_shadows_are_not(name):
    assert options.permitted_command(name)

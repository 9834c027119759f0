"""Which of mitmproxy's options the gateway forces, forbids, and lets people change while it runs.

Pure tables over plain values: mitmproxy is not imported here, its option names and defaults are what we rely on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

FORCED: Mapping[str, Any] = {
    "connection_strategy": "lazy",  # eager opens an upstream connection for each client before any check
    "rawtcp": False,  # an unasked 101 would open a raw tunnel past all hooks
    "websocket": True,  # without it a 101 that we asked for is refused; the layer is ours (host/connections/sockets.py)
    "stream_large_bodies": None,  # passes bodies on before they are decided
    "store_streamed_bodies": False,
    "keep_host_header": True,  # else all Host fields of a request are one before the gateway counts them
    "anticache": False,
    "http3": False,
    "onboarding": False,
}
"""Set by the gateway itself at start; what an operator wrote for them is overruled."""

REQUIRED: Mapping[str, Any] = {
    "validate_inbound_headers": True,
    "ssl_insecure": False,
    "upstream_cert": True,
    "server": True,
    "ignore_hosts": [],
    "allow_hosts": [],
    "tcp_hosts": [],
    "udp_hosts": [],
    "block_list": [],
    "map_remote": [],
    "map_local": [],
    "modify_body": [],
    "modify_headers": [],
    "proxyauth": None,
    "upstream_auth": None,
    "stickyauth": None,
    "stickycookie": None,
    "client_replay": [],
    "server_replay": [],
    "rfile": None,
    "intercept": None,
    "proxy_debug": False,
}
"""What would open a way past the gateway, or no longer works in it: must stand at these values."""

OFFLINE: Mapping[str, Any] = {
    "client_replay": [],
    "server_replay": [],
    "save_stream_file": None,
    "hardump": "",
    "readfile_filter": None,
    "keepserving": False,
}
"""What does nothing where recorded flows are run again, and must not seem to do something."""

DEFAULTS: Mapping[str, Any] = {
    "body_size_limit": "16m",  # mitmproxy knows no bound
    # it closes callers' connections without a word after ten quiet minutes by the wall clock, whatever is awaited on
    # them: how long they may be quiet is said in host/connections (patience.py, behind.py), by a clock that never steps
    "tcp_timeout": 10 * 86_400,
}
"""Set where the operator left mitmproxy's own default."""

CHANGEABLE = (
    "console_",
    "view_",
    "web_columns",
    "web_static_viewer",
    "flow_detail",
    "dumper_",
    "termlog_verbosity",
    "content_view_lines_cutoff",
    "default_contentview",
    "showhost",
    "command_history",
    "cut_",
)
"""Name prefixes of the options that may change while the gateway runs: how shadows are displayed, nothing else."""

COMMANDS = (
    "phi.",
    "view.",
    "console.",
    "flow.mark",
    "flow.comment",
    "commands.history",
    "commands.arguments",
    "proxyserver.active_connections",
    "replay.client.count",
    "replay.server.count",
    "readfile.reading",
    "set",
)
"""Name prefixes of the commands that people may give a running gateway: all of them see only shadows, and none writes
a file (one that could would write the policy)."""

FORBIDDEN_COMMANDS = ("view.flows.load", "view.flows.create", "console.edit", "console.intercept", "console.grideditor")
"""The exceptions among `COMMANDS`: they load, make or alter flows, or replace all options at once."""


def changeable(option: str) -> bool:
    return option.startswith(CHANGEABLE)


def permitted_command(name: str) -> bool:
    return name.startswith(COMMANDS) and not name.startswith(FORBIDDEN_COMMANDS)


def faults(current: Mapping[str, Any]) -> list[str]:
    """Why these option values may not run, one sentence each; empty when they may."""
    found = [_mode_fault(mode) for mode in current.get("mode", ())]
    found += [_required_fault(name, value, current) for name, value in {**FORCED, **REQUIRED}.items()]
    found.append(_script_fault(current))
    if not current.get("mode"):
        found.append("a mode is needed: `--mode reverse:http://HOST:PORT`")
    return [fault for fault in found if fault]


def offline(current: Mapping[str, Any]) -> bool:
    """Whether recorded flows are to be run again, and nobody can connect: `mitmdump -nr FILE`."""
    return current.get("server") is False and bool(current.get("rfile"))


def offline_faults(current: Mapping[str, Any]) -> list[str]:
    """Why such a run may not be, likewise."""
    if not offline(current):
        return ["recorded flows are run again with `-n` and `-r FILE`"]
    found = [_required_fault(name, value, current) for name, value in OFFLINE.items()]
    return [fault for fault in (*found, _script_fault(current)) if fault]


def _script_fault(current: Mapping[str, Any]) -> str:
    return "" if len(current.get("scripts", ())) == 1 else "exactly one script may be loaded, the gateway"


def _mode_fault(mode: str) -> str:
    if mode.startswith(("reverse:http://", "reverse:https://")):
        return ""
    return f"mode `{mode}` is not `reverse:http://HOST:PORT` or `reverse:https://HOST:PORT`"


def _required_fault(name: str, value: Any, current: Mapping[str, Any]) -> str:
    if name not in current or current[name] == value or (not current[name] and not value):
        return ""
    return f"option `{name}` must stay {value!r}"

"""What mitmproxy and Python do for every message that a gateway can do without.

- mitmproxy checks the types of each message's fields when it is made, in debug mode, which is the default: an aid for
  those who write addons, a tenth of an exchange's cost.
- It gives each task a name, a time and a client for its debugger, and reads an environment variable to do so.
- It parses the body size limit, which never changes, for every message.
- It asks for header fields some thirty times an exchange, each time through several calls for every field, and through
  an exception where one is missing.
- A thread that masks a large body keeps the interpreter for 5 ms at a time while all other exchanges wait.
- The garbage collector looks through everything that was loaded at start again and again; none of it ever dies.
"""

from __future__ import annotations

import gc
import sys
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from mitmproxy import http
from mitmproxy.utils import asyncio_utils, human

if TYPE_CHECKING:
    import asyncio

_TURN = 0.001
"""Seconds that a thread keeps the interpreter while another wants it."""
_LITTER = 64 * 1024 * 1024
"""Bytes from callers between two looks at everything."""
_BETWEEN = 20_000
"""Objects made between two looks at the youngest; the default looks every few requests."""


def _unchecked(_message: http.MessageData) -> None:
    """Take the message's fields as they are."""


def _unnamed(task: asyncio.Task[Any], *, name: str, client: tuple[Any, ...] | None = None) -> None:
    """Leave a task without what only a debugger reads."""


def _get_all(headers: http.Headers, name: str | bytes) -> list[str]:
    """`Headers.get_all` in one step."""
    wanted = (name if isinstance(name, bytes) else name.encode("utf-8", "surrogateescape")).lower()
    return [value.decode("utf-8", "surrogateescape") for key, value in headers.fields if key.lower() == wanted]


def _get(headers: http.Headers, name: str | bytes, default: Any = None) -> Any:
    return ", ".join(values) if (values := _get_all(headers, name)) else default


def _contains(headers: http.Headers, name: object) -> bool:
    return isinstance(name, str | bytes) and bool(_get_all(headers, name))


def install() -> None:
    asyncio_utils.set_task_debug_info = _unnamed
    human.parse_size = lru_cache(human.parse_size)
    for name, same in (("get_all", _get_all), ("get", _get), ("__contains__", _contains)):
        setattr(http.Headers, name, same)
    http.MessageData.__post_init__ = _unchecked  # type: ignore[method-assign]  # the check itself, for all messages


class Litter:
    """What was held for callers and waits for the collector: few objects, each perhaps as large as a body.

    The collector goes by their number, and would leave a gigabyte of bodies whose connections broke until some million
    others were made.
    """

    def __init__(self) -> None:
        self._came = 0

    def tick(self, came: int) -> None:
        """Collect, where `came`, the bytes from all callers so far, says that it is worth the milliseconds."""
        if came - self._came >= _LITTER:
            self._came = came
            gc.collect()


def settle() -> None:
    """Once everything is loaded: never look at it again."""
    sys.setswitchinterval(_TURN)
    gc.collect()
    gc.freeze()
    gc.set_threshold(_BETWEEN, 20, 20)

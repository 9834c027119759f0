"""Names of hosts are looked up by threads of their own, each name by one at a time.

The system's resolver waits for half a minute where its servers are silent, and asyncio has a handful of threads for all
there is to do: requests to one model server whose name is not found would keep everybody's large bodies waiting. A
thread that hangs there does not keep the process from ending either.
"""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any, Final

from phigate.threads import Hands

if TYPE_CHECKING:
    from collections.abc import Callable

AT_ONCE: Final = 8
"""Names that are looked up at the same time; the next one waits."""


class Names:
    """Look-ups of one loop; `find` is `socket.getaddrinfo`."""

    def __init__(self, find: Callable[..., Any] = socket.getaddrinfo) -> None:
        self._find = find
        self._hands = Hands(AT_ONCE, "names")
        self.begin = self._hands.begin
        self._asked: dict[tuple[Any, ...], asyncio.Task[Any]] = {}

    async def look_up(
        self,
        host: Any,
        port: Any,
        *,
        family: int = 0,
        type: int = 0,  # noqa: A002 -- the name that the loop's own method has for it
        proto: int = 0,
        flags: int = 0,
    ) -> Any:
        """`loop.getaddrinfo`; raises OSError. Whoever asks for what is asked already gets the same answer."""
        asked = (host, port, family, type, proto, flags)
        task = self._asked.get(asked)
        if task is None:
            task = self._asked[asked] = asyncio.create_task(self._hands.run(self._find, *asked))
            task.add_done_callback(lambda done: self._over(asked, done))
        return await asyncio.shield(task)

    def _over(self, asked: tuple[Any, ...], done: asyncio.Task[Any]) -> None:
        self._asked.pop(asked, None)
        if not done.cancelled():
            done.exception()  # where everybody has left


def install(loop: asyncio.AbstractEventLoop) -> None:
    """Have a loop look names up in this way; it is asked through its own method by everything that connects."""
    looking = Names()
    looking.begin()
    loop.getaddrinfo = looking.look_up  # type: ignore[method-assign]  # this loop's own

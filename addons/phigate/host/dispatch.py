"""Hooks reach the addons that have them, without asking all the others first.

mitmproxy walks every addon of its chain for every event and looks whether it has a hook of that name; most have none,
and each costs microseconds, several times a request. Here the walk is done once for each kind of event. What an
event then meets is the same as before, in the same order and under the same rules: an exception in an addon is
logged, skips the rest of *that* top-level addon, and the next one is called (`AddonManager.trigger_event`).

The walk is done again whenever the chain is another one. Should an addon leave without that, it is still called:
the error is on the closed side.
"""

from __future__ import annotations

import inspect
from dataclasses import fields
from types import ModuleType
from typing import TYPE_CHECKING, Any

from mitmproxy import exceptions, flow, hooks
from mitmproxy.addonmanager import safecall, traverse

if TYPE_CHECKING:
    from collections.abc import Callable

    from mitmproxy.addonmanager import AddonManager


type Groups = list[list[Callable[..., Any]]]


class Dispatch:
    """Stands in for one AddonManager's `trigger_event` and `handle_lifecycle`."""

    def __init__(self, manager: AddonManager) -> None:
        self._manager = manager
        self._chain: list[Any] = []
        self._groups: dict[str, Groups] = {}
        self._fields: dict[str, tuple[str, ...]] = {}

    def install(self) -> None:
        self._manager.trigger_event = self.trigger_event  # type: ignore[method-assign]  # the instance's own
        self._manager.handle_lifecycle = self.handle_lifecycle  # type: ignore[method-assign]  # as above

    async def handle_lifecycle(self, event: hooks.Hook) -> None:
        names = self._fields.get(event.name)
        if names is None:  # `Hook.args` looks them up for each event
            names = self._fields[event.name] = tuple(field.name for field in fields(event))  # type: ignore[arg-type]  # a dataclass, all of them
        arguments = [getattr(event, name) for name in names]
        await self._call(event.name, arguments)
        if isinstance(arguments[0], flow.Flow) and self._of("update"):
            await self._call("update", [[arguments[0]]])

    async def trigger_event(self, event: hooks.Hook) -> None:
        await self._call(event.name, event.args())

    async def _call(self, name: str, arguments: list[Any]) -> None:
        for group in self._of(name):
            try:
                for function in group:
                    result = function(*arguments)
                    if result is not None and inspect.isawaitable(result):
                        await result
            except exceptions.AddonHalt:
                return
            except exceptions.OptionsError:
                raise
            except Exception:
                with safecall():
                    raise

    def _of(self, name: str) -> Groups:
        chain = self._manager.chain
        if chain is not self._chain:
            self._chain, self._groups = chain, {}
        groups = self._groups.get(name)
        if groups is None:
            groups = self._groups[name] = self._find(name)
        return groups

    def _find(self, name: str) -> Groups:
        found = [[getattr(each, name, None) for each in traverse([addon])] for addon in self._chain]
        return [
            called
            for group in found
            if (called := [hook for hook in group if callable(hook) and not isinstance(hook, ModuleType)])
        ]

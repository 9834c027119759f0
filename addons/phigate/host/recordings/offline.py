"""`mitmdump -nr FILE -s addons/gateway.py`: recorded flows decided again under the policy as it is now.

Such a run is no gateway. The script leaves mitmproxy's chain with everything else that has hooks, before anything is
read; no flow is loaded into mitmproxy and no hook sees one; no port, journal, ledger or key is opened. What a flow
says of who asked is believed here, where nobody gets anything for it, and in no other place.

It ends with 0 when everything would be decided and shown as it was, with 1 when something would change, and with 2
where that cannot be told of all flows.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

from phigate.host import lockdown
from phigate.host import options as tables
from phigate.policy.load import PolicyFaults

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from mitmproxy.master import Master

    from phigate.policy.schema import Policy

STAY = frozenset({"TermLog", "ErrorCheck"})
"""Of mitmproxy's addons, those that only print what it logs."""
SAME, CHANGED, UNTOLD = range(3)


class Rerun(Protocol):
    """What decides recorded flows again, and tells of each."""

    changed: int
    """Flows that would be decided or shown in another way."""
    untold: int
    """Flows of which that is not known."""

    def lines(self, file: BinaryIO) -> Iterator[tuple[str, bool]]:
        """(line, whether it tells of anything but that all is as it was) of each flow of a file."""

    def summary(self) -> Sequence[str]:
        """What they came to, in lines."""


class OfflineFault(Exception):  # noqa: N818 -- the operator's fault, told in the operator's words
    """Why recorded flows cannot be run again: one sentence a line."""


def is_meant(master: Master) -> bool:
    """Whether the options ask for such a run: a file to read, and no server."""
    return tables.offline(_current(master))


def _current(master: Master) -> dict[str, Any]:
    return {name: option.current() for name, option in master.options.items()}


def begin(
    master: Master, read_policy: Callable[[Path], Policy], rerun: Callable[[Policy, Sequence[Policy]], Rerun]
) -> None:
    """Leave nothing of mitmproxy but its log, and read the file once it runs; raises OfflineFault."""
    options = master.options
    faults = [f"no option `{name}`" for name in sorted(options.deferred) if name.startswith("phi_")]
    faults += tables.offline_faults(_current(master))
    if any(master.addons.get(name) is not None for name in ("view", Offline.name)):  # an empty view is falsy
        faults.append("recorded flows are run again once, by mitmdump (to look at them, leave the script out)")
    if faults:
        raise OfflineFault("\n".join(faults))
    names = [options.phi_policy, *filter(None, (name.strip() for name in options.phi_was.split(",")))]
    try:
        policy, *past = [read_policy(Path(name)) for name in names]
    except PolicyFaults as fault:
        raise OfflineFault("\n".join(fault.faults)) from None
    master.addons.chain = [addon for addon in master.addons.chain if type(addon).__name__ in STAY]
    master.addons.add(Offline(rerun(policy, past), options.rfile, quiet=options.flow_detail == 0))
    lockdown.lock(master)


def _open(name: str) -> BinaryIO:
    return sys.stdin.buffer if name == "-" else Path(name).expanduser().open("rb")


class Offline:
    """Reads a file of flows and tells what would change."""

    name = "phigate-offline"

    def __init__(self, again: Rerun, file: str, *, quiet: bool) -> None:
        self._again = again
        self._file, self._quiet = file, quiet
        self._task: asyncio.Task[None] | None = None
        self._over = False

    def running(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        code = UNTOLD
        try:
            code = await self._told()
        except BrokenPipeError:  # nobody listens any more
            pass
        except OSError as error:
            sys.stderr.write(f"phigate: {self._file}: {os.strerror(error.errno or 0).lower()}\n")
        self._over = True
        asyncio.get_running_loop().call_soon(sys.exit, code)

    async def _told(self) -> int:
        """Tell of each flow, one after the other, and give way in between: a reader may want to stop."""
        with _open(self._file) as file:
            for line, worth in self._again.lines(file):
                if worth or not self._quiet:
                    sys.stdout.write(line + "\n")
                await asyncio.sleep(0)
        sys.stdout.write("\n".join(self._again.summary()) + "\n")
        sys.stdout.flush()
        return CHANGED if self._again.changed else UNTOLD if self._again.untold else SAME

    def done(self) -> None:
        """Somebody stopped it: that everything would be as it was is not known."""
        if not self._over:
            self._over = True
            sys.exit(UNTOLD)

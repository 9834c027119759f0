"""The policy's file and what it names, read at start and again when they change: in force only if all of it holds.

Glue: it reads files.

- A bad policy changes nothing: the last good one decides. It is said once, stands in readiness, and is on record.
- What takes long to be read is read in a thread, while the last good one decides.
- Each file of the journal holds the policy by which its exchanges were decided.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import hashlib
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

from phigate.capture.record import policy_record
from phigate.journal.writer import JournalDown
from phigate.masking import RosterFault
from phigate.policy.load import PolicyFaults, must_be_a_file, read_file
from phigate.serving import ProviderFault, read_policy
from phigate.sources import read_sources, stamp_of
from phigate.starting import StartFault

if TYPE_CHECKING:
    from collections.abc import Mapping

    from phigate.house import House
    from phigate.policy.schema import Policy
    from phigate.sources import Sources, Stamp

logger = logging.getLogger(__name__)


class Edits:
    """What of the policy's file is in force; `begin` reads it, `reload_if_changed` looks at it each second."""

    def __init__(self, house: House) -> None:
        self._house = house
        self.path = self._noted_in = Path()
        self._noted: str | None = None
        self._seen: tuple[int, int] | None = None
        self._sources_seen: Stamp = ()
        self._loading: asyncio.Task[None] | None = None
        """What reads a changed roster beside the loop."""
        self._not_in_force: Mapping[str, str] = {}

    def begin(self, policy: str) -> None:
        """Put the policy of a file in force; raises StartFault."""
        self.path = Path(policy)
        try:
            self._seen = self._stamp()
            self._house.put_in_force(read_policy(self.path))
            self._sources_seen = self._house.sources.stamp
        except PolicyFaults as fault:
            raise StartFault("\n".join(fault.faults)) from None
        except (RosterFault, ProviderFault) as fault:
            raise StartFault(str(fault)) from None
        except OSError as error:
            raise StartFault(f"{policy}: {os.strerror(error.errno or 0).lower()}") from None

    def remarks(self) -> Mapping[str, str]:
        """What readiness says of a policy that was changed and does not hold."""
        return self._not_in_force

    def reload_if_changed(self) -> None:
        """Put an edited policy, roster or file of detectors in force; a bad one changes nothing and is said once."""
        if self._loading is not None:
            return
        stamp = self._stamp()
        try:
            if stamp != self._seen:
                self._seen = stamp
                must_be_a_file(self.path)
                self._reload(read_policy(self.path))
            elif stamp_of(self._house.policy) != self._sources_seen:
                self._reload(self._house.policy)
        except (PolicyFaults, RosterFault, ProviderFault, OSError) as fault:
            self._say_bad(fault)

    def _reload(self, policy: Policy) -> None:
        self._sources_seen = stamp_of(policy)
        if self._house.sources.stamp == self._sources_seen:
            self._reloaded(policy, self._house.sources)
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self._reloaded(policy, read_sources(policy))
        else:
            self._loading = loop.create_task(self._load_beside(policy))

    async def _load_beside(self, policy: Policy) -> None:
        """Read what takes long in a thread, while the last good policy decides."""
        try:
            self._reloaded(policy, await asyncio.to_thread(read_sources, policy))
            _set_aside()
        except (PolicyFaults, RosterFault, ProviderFault, OSError) as fault:
            self._say_bad(fault)
        finally:
            self._loading = None

    def _reloaded(self, policy: Policy, sources: Sources) -> None:
        self._not_in_force = {}
        again = policy is self._house.policy
        self._house.put_in_force(policy, sources)
        if again:
            logger.warning("the changed roster or detectors are in force")
        else:
            logger.warning("policy %s is in force", policy.sha256[:12])
            self.note()

    def _say_bad(self, fault: Exception) -> None:
        self._not_in_force = {"policy": "the changed policy is not in force, the last good one is"}
        if isinstance(fault, PolicyFaults):
            told = "\n".join(fault.faults)
            logger.error("the changed policy is not put in force, the last good one stays:\n%s", told)
            self._note_bad(fault)
        elif isinstance(fault, OSError):
            logger.error("the changed policy cannot be read (%s), the last good one stays", type(fault).__name__)
        else:
            logger.error("the changed policy is not put in force, the last good one stays: %s", fault)

    def _stamp(self) -> tuple[int, int]:
        with contextlib.suppress(FileNotFoundError):
            stat = self.path.stat()
            return stat.st_mtime_ns, stat.st_size
        return 0, -1

    # -- on record --------------------------------------------------------------------------------------------------

    def note(self) -> None:
        """Put the policy in force on record; raises JournalDown."""
        policy, journal = self._house.policy, self._house.journal
        was, self._noted = self._noted, policy.sha256
        self._noted_in = journal.path
        journal.append("policy", policy_record(self._noted, was=was, accepted=True, text=policy.text))

    def note_again(self) -> None:
        """Say the policy in each file of the journal: earlier ones may be deleted when their time is over."""
        if self._house.journal.path != self._noted_in:
            with contextlib.suppress(JournalDown):
                self.note()

    def _note_bad(self, faults: PolicyFaults) -> None:
        """Record that a policy was edited and not put in force; its text, which nobody could read, is left out."""
        with contextlib.suppress(JournalDown, PolicyFaults):
            must_be_a_file(self.path)
            found = hashlib.sha256(read_file(self.path)).hexdigest()
            record = policy_record(found, was=self._noted, accepted=False, faults=faults.faults)
            self._house.journal.append("policy", record)


def _set_aside() -> None:
    """Keep the collector from walking what was read, which stays: 100,000 people are 0.02 s of standstill each time.

    All that lives is set aside with it. What was set aside before, and is in nobody's hands any more, goes: else a
    single exchange that had just ended then would keep its roster for ever.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()

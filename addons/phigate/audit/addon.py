"""What would become of recorded flows? Glue: where nobody can connect, the house decides them again by this."""

from __future__ import annotations

from typing import TYPE_CHECKING

from phigate.audit.flows.rerun import Rerun

if TYPE_CHECKING:
    from phigate.house import House


class Again:
    """No hook of a live gateway's is here: `host.recordings.offline` asks, and only where no flow is a client's."""

    def __init__(self, house: House) -> None:
        house.rerun = Rerun

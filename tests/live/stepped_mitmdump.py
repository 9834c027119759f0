"""mitmdump with the real gateway, by a wall clock that a test puts forward and back.

What reads that clock is wrapped before the gateway is loaded: `time.time` for all, and what the house's records are
stamped by (a whole `datetime` of ours is none to the libraries that check for one). A control file says by how many
seconds it is put; the clocks that only grow stay as they are.
"""

import datetime as dt
import os
import sys
import time
from pathlib import Path
from types import SimpleNamespace

CONTROL = Path(os.environ["PHIGATE_STEP"])
real_time, real_ns = time.time, time.time_ns
seen = [0, 0.0]


def put():
    """The seconds, read anew where the file changed."""
    changed = CONTROL.stat().st_mtime_ns
    if changed != seen[0]:
        seen[:] = changed, float(CONTROL.read_text())
    return seen[1]


class Stepped(dt.datetime):
    @classmethod
    def now(cls, tz=None):
        return dt.datetime.fromtimestamp(real_time() + put(), tz)


if __name__ == "__main__":
    time.time = lambda: real_time() + put()
    time.time_ns = lambda: real_ns() + int(put() * 1e9)
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "addons"))
    from mitmproxy.tools.main import mitmdump

    from phigate import house

    house.dt = SimpleNamespace(datetime=Stepped, UTC=dt.UTC)  # type: ignore[assignment]  # as much of it as is used
    mitmdump(sys.argv[1:])

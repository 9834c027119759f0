"""mitmdump with the real gateway, which tries again soon: what takes seconds and minutes takes parts of a second."""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "addons"))
    from mitmproxy.tools.main import mitmdump

    from phigate.ledger import outbox
    from phigate.telling import pace

    pace.DELAYS = (0.2,) * 50
    outbox.LEASE = 1.0
    mitmdump(sys.argv[1:])

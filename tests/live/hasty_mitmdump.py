"""mitmdump with the real gateway, for which a minute of waiting is a few seconds: leases."""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "addons"))
    from mitmproxy.tools.main import mitmdump

    from phigate.ledger import counting, sharing

    counting.LEASE = sharing.LEASE = 2.0
    mitmdump(sys.argv[1:])

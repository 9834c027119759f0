"""mitmdump with the real gateway, for which an hour and the five minutes of an idle connection are two seconds."""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "addons"))
    from mitmproxy.tools.main import mitmdump

    from phigate.host.connections import lasting, patience
    from phigate.rpc import link

    lasting.LONGEST = lasting.GRACE = 2.0
    patience.HEAD = patience.IDLE = link.IDLE = 2.0
    mitmdump(sys.argv[1:])

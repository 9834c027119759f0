"""mitmdump with the real gateway, whose patience with connections is a few seconds."""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "addons"))
    from mitmproxy.tools.main import mitmdump

    from phigate.host.connections import patience, talk
    from phigate.rpc import link

    patience.HEAD = patience.BODY = patience.TAKES_NOTHING = 4.0
    patience.LOOK = 0.5
    link.GREETING, link.IDLE = 4.0, 20.0  # a fifth of it for strangers
    talk.UNTAKEN = 64 * 1024
    mitmdump(sys.argv[1:])

"""mitmdump with the real gateway, on a machine whose resolver does not answer for one name."""

import os
import socket
import sys
import time
from pathlib import Path

SLOW, real = os.environ["PHIGATE_SLOW_NAME"], socket.getaddrinfo


def getaddrinfo(host, *rest, **more):
    if host == SLOW:
        time.sleep(30)
        raise socket.gaierror(-3, "Temporary failure in name resolution")
    return real(host, *rest, **more)


if __name__ == "__main__":
    socket.getaddrinfo = getaddrinfo
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "addons"))
    from mitmproxy.tools.main import mitmdump

    mitmdump(sys.argv[1:])

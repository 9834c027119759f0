"""mitmdump with the real gateway, on a disk that a test can break for the files of one folder.

The calls that write are wrapped before anything else is loaded. A control file, read at each of them, names the fault
of the moment: `ENOSPC`, `EIO`, `EROFS` (nothing can be made either), `fsync` (writes arrive, syncs fail), `short`
(half of a write arrives), `stall` (a sync takes until the file is empty again), `slow N` (each takes N seconds); empty
is none.
"""

import errno
import os
import sys
import time
from pathlib import Path

CONTROL, FOLDER = Path(os.environ["PHIGATE_FAULT"]), os.environ["PHIGATE_FAULTY"]
CODES = {"EIO": errno.EIO, "EROFS": errno.EROFS}
FULL = os.open("/dev/full", os.O_WRONLY)

real_open, real_write, real_fsync, real_fdatasync = os.open, os.write, os.fsync, os.fdatasync


def fault():
    return CONTROL.read_text()


def ours(descriptor):
    return str(Path(f"/proc/self/fd/{descriptor}").readlink()).startswith(FOLDER)


def opening(path, flags, mode=0o777, **more):
    if flags & os.O_CREAT and str(path).startswith(FOLDER) and fault() == "EROFS":
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))
    return real_open(path, flags, mode, **more)


def write(descriptor, data):
    now = fault() if ours(descriptor) else ""
    if now == "ENOSPC":
        return real_write(FULL, data)
    if now in CODES:
        raise OSError(CODES[now], os.strerror(CODES[now]))
    return real_write(descriptor, data[: len(data) // 2] if now == "short" else data)


def syncing(usual):
    def sync(descriptor):
        now = fault() if ours(descriptor) else ""
        if now in ("fsync", *CODES):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        while now == "stall":
            time.sleep(0.02)
            now = fault()
        if now.startswith("slow "):
            time.sleep(float(now.removeprefix("slow ")))
        usual(descriptor)

    return sync


if __name__ == "__main__":
    os.open, os.write = opening, write
    os.fsync, os.fdatasync = syncing(real_fsync), syncing(real_fdatasync)
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "addons"))
    from mitmproxy.tools.main import mitmdump

    mitmdump(sys.argv[1:])

"""mitmweb with the real gateway, of which a test can break any function and the disk (see the files beside)."""

import os
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    from tests.live import broken_mitmdump, faulty_mitmdump

    os.open, os.write = faulty_mitmdump.opening, faulty_mitmdump.write
    os.fsync = faulty_mitmdump.syncing(faulty_mitmdump.real_fsync)
    os.fdatasync = faulty_mitmdump.syncing(faulty_mitmdump.real_fdatasync)
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "addons"))
    broken_mitmdump.NAMES.write_text("\n".join(sorted(broken_mitmdump.wrap())))
    broken_mitmdump.listen()
    from mitmproxy.tools.main import mitmweb

    mitmweb(sys.argv[1:])

"""MLServer from its own environment, as a peer: a model server that nobody here wrote, over loopback.

It runs on older Pythons only. Its packages are installed once a checkout, as locks/mlserver.txt says, into
`.venv-mlserver`; what is missing for that skips the test.
"""

from __future__ import annotations

import fcntl
import json
import re
import shutil
import subprocess
import tempfile
from hashlib import sha256
from pathlib import Path
from typing import Self

import pytest

from processes import HOST, ROOT, Child, answers, free_port

SOURCE = Path(__file__).with_name("mlserver_notes")
LOCK = ROOT / "locks" / "mlserver.txt"
HOME = ROOT / ".venv-mlserver"
MODEL = "ward-notes"
UNREACHABLE = re.compile(r"error sending request|connect|timed out|dns|403|404", re.IGNORECASE)
"""How uv says that it cannot get a package from where it is told to; anything else is a fault."""
LONGEST = 240.0
"""Seconds that the installation may take; a dozen with a quick line."""


def installed() -> Path:
    """The command `mlserver`, installed as the lock asks for if it is not there yet."""
    stamp, made_of = HOME / "phigate.stamp", sha256(LOCK.read_bytes()).hexdigest()
    (ROOT / "var").mkdir(exist_ok=True)
    with (ROOT / "var" / "mlserver.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two runs in one checkout
        if not stamp.is_file() or stamp.read_text() != made_of:
            _install()
            stamp.write_text(made_of)
    return HOME / "bin" / "mlserver"


def _install() -> None:
    """By the means of scripts/_setup: its uv, and a Python that it finds or fetches."""
    script = f"""
        source {ROOT / "scripts" / "_setup"!s}
        uv=$(find_uv) || die "uv could not be installed"
        python=$(find_python 3.12 || find_python 3.11 || fetch_python 3.12) || die "no Python 3.12 or 3.11 found"
        index=$(python3 -m pip config get global.index-url 2>/dev/null) && export UV_DEFAULT_INDEX="$index"
        "$uv" venv --quiet --clear --python "$python" {HOME!s}
        "$uv" pip install --quiet --no-deps --require-hashes --python {HOME / "bin" / "python"!s} -r {LOCK!s}
    """
    shutil.rmtree(HOME, ignore_errors=True)
    try:
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False, timeout=LONGEST)
    except subprocess.TimeoutExpired:
        pytest.skip(f"MLServer cannot be installed within {LONGEST:g} s")
    if done.returncode:
        said = done.stderr.strip()[-400:]
        if UNREACHABLE.search(said) or "no Python" in said:
            pytest.skip("MLServer cannot be installed: its packages, or a Python 3.12 or 3.11, are out of reach")
        pytest.fail(f"MLServer: {said}", pytrace=False)


class MLServer(Child):
    """The server on free ports, `url` for REST and `grpc` for gRPC; `with MLServer() as peer:` serves until the end."""

    def __init__(self) -> None:
        command = installed()
        self.port, self.grpc, metrics = free_port(), free_port(), free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="phigate-peer-"))
        for name in ("notes.py", "model-settings.json"):
            shutil.copy(SOURCE / name, self.folder)
        told = {"host": HOST, "http_port": self.port, "grpc_port": self.grpc, "metrics_port": metrics}
        apart = {"parallel_workers": 0, "gzip_enabled": False, "debug": False}  # streams need both
        (self.folder / "settings.json").write_text(json.dumps(told | apart))
        super().__init__("mlserver", [str(command), "start", "."], self.folder / "log")

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def start(self) -> Self:
        super().start()
        try:
            self.wait_until(lambda: answers(f"{self.url}/v2/models/{MODEL}/ready"), 60)
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self, seconds: float = 10.0) -> None:
        super().stop(seconds)
        shutil.rmtree(self.folder, ignore_errors=True)

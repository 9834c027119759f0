"""MLServer from its own environment, as a peer: a model server that nobody here wrote, over loopback.

It runs on older Pythons only.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Self

from processes import HOST, ROOT, Child, answers, free_port
from tests.peers.apart import installed

SOURCE = Path(__file__).with_name("mlserver_notes")
LOCK = ROOT / "locks" / "mlserver.txt"
HOME = ROOT / ".venv-mlserver"
MODEL = "ward-notes"
PYTHONS = ("3.12", "3.11")


class MLServer(Child):
    """The server on free ports, `url` for REST and `grpc` for gRPC; `with MLServer() as peer:` serves until the end."""

    def __init__(self) -> None:
        command = installed("MLServer", LOCK, HOME, PYTHONS) / "mlserver"
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

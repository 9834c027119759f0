"""LiteLLM's proxy from its own environment, as a peer: an OpenAI-compatible server that nobody here wrote.

What it answers is canned, or comes from a server behind it and is told again in its own words. It asks nobody else for
anything, and knows nothing of the environment that it was started in.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any, Self

from processes import HOST, ROOT, Child, answers, free_port
from tests.peers.apart import installed

LOCK = ROOT / "locks" / "litellm.txt"
HOME = ROOT / ".venv-litellm"
OFFLINE = {"LITELLM_LOCAL_MODEL_COST_MAP": "True"}
"""It asks the network for prices at its start otherwise."""
FIRST = 90.0
"""Seconds until it is ready; a dozen, once its modules are compiled half of that."""


def canned(answer: object, **more: Any) -> dict[str, Any]:
    """A model that always says the same."""
    return {"model": "openai/canned", "api_key": "none", "mock_response": answer} | more


def behind(url: str) -> dict[str, Any]:
    """A model of another OpenAI-compatible server."""
    return {"model": "openai/ward-assistant", "api_key": "none", "api_base": f"{url}/v1"}


class LiteLLM(Child):
    """The proxy on a free port with these models by name; `with LiteLLM(models) as peer:` serves until the end."""

    def __init__(self, models: dict[str, dict[str, Any]]) -> None:
        command = installed("LiteLLM", LOCK, HOME) / "litellm"
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="phigate-peer-"))
        listed = [{"model_name": name, "litellm_params": told} for name, told in models.items()]
        once = {"num_retries": 0, "disable_cooldowns": True}
        config = self.folder / "config.yaml"
        config.write_text(json.dumps({"model_list": listed, "router_settings": once}))
        known = {"PATH": str(command.parent), "HOME": str(self.folder)} | OFFLINE
        alone = ["/usr/bin/env", "-i", *(f"{name}={value}" for name, value in known.items())]
        listens = ["--config", str(config), "--host", HOST, "--port", str(self.port), "--telemetry", "False"]
        super().__init__("litellm", [*alone, str(command), *listens], self.folder / "log")

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def start(self) -> Self:
        super().start()
        try:
            self.wait_until(lambda: answers(f"{self.url}/health/liveliness"), FIRST)
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self, seconds: float = 10.0) -> None:
        super().stop(seconds)
        shutil.rmtree(self.folder, ignore_errors=True)

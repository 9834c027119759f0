"""Presidio, as installed, in a process and an environment of its own: `python presidio.py` with that one's Python.

Its pattern recognizers with a blank spaCy pipeline: no language model, nothing fetched. Reads one JSON text a line and
writes `{"seconds", "findings": [[start, end, entity, score]]}` for each. It imports nothing of this project, and this
project imports nothing of it but the two functions at the end.
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any, Final

PLACE: Final = Path(__file__).resolve().parents[2] / ".venv-presidio"
PACKAGE: Final = "presidio-analyzer"
CONFIGURED: Final = {"lang_code": "en", "model_name": "blank"}


def analyzer() -> Any:
    """Return an engine with every predefined recognizer for English that is a pattern."""
    spacy, presidio = import_module("spacy"), import_module("presidio_analyzer")
    nlp: Any = import_module("presidio_analyzer.nlp_engine")

    engine = nlp.SpacyNlpEngine(models=[CONFIGURED])
    engine.nlp = {"en": spacy.blank("en")}
    registry = presidio.RecognizerRegistry()
    registry.load_predefined_recognizers(languages=["en"], nlp_engine=engine)
    registry.remove_recognizer("SpacyRecognizer")
    return presidio.AnalyzerEngine(registry=registry, nlp_engine=engine, supported_languages=["en"])


def main() -> None:
    logging.disable(logging.CRITICAL)
    engine = analyzer()
    engine.analyze("call 503-555-0142 or a@b.example, www.example.com", language="en")  # what it loads at first use
    print("ready", flush=True)
    for line in sys.stdin:
        text = json.loads(line)
        start = time.process_time()
        found = engine.analyze(text, language="en")
        seconds = time.process_time() - start
        findings = [[each.start, each.end, each.entity_type, each.score] for each in found]
        print(json.dumps({"seconds": seconds, "findings": findings}), flush=True)


# -- from here -------------------------------------------------------------------------------------------------------


def environment() -> Path | str:
    """Return the Python of its environment, made now if there is none; why not, where it cannot be had."""
    python = PLACE / "bin" / "python"
    if not (PLACE / "made").exists():
        quiet = ["--quiet", "--no-input", "--disable-pip-version-check"]
        install = [str(python), "-m", "pip", "install", *quiet, PACKAGE]
        for command in ([sys.executable, "-m", "venv", "--clear", str(PLACE)], install):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                return f"{PACKAGE} could not be installed (exit {done.returncode})"
        (PLACE / "made").touch()
    return python


def version(python: Path) -> str:
    """Return the version that is installed there."""
    asked = f"import importlib.metadata as m; print(m.version('{PACKAGE}'))"
    return subprocess.run([python, "-c", asked], capture_output=True, text=True, check=True).stdout.strip()


class Presidio:
    """The process, to be asked text by text."""

    def __init__(self, python: Path) -> None:
        self.process = subprocess.Popen(
            [python, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self._line()

    def ask(self, text: str) -> tuple[float, list[tuple[int, int, str, float]]]:
        """Return how many seconds it took, and what it found."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(text) + "\n")
        self.process.stdin.flush()
        told = json.loads(self._line())
        return told["seconds"], [tuple(each) for each in told["findings"]]

    def close(self) -> None:
        self.process.terminate()
        self.process.communicate()

    def _line(self) -> str:
        assert self.process.stdout is not None
        if line := self.process.stdout.readline():
            return line
        raise SystemExit("bench: Presidio ended")


if __name__ == "__main__":
    main()

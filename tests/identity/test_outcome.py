from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from phigate import identity
from phigate.identity.outcome import REASONS, Reason, Refused

SOURCES = "\n".join(
    path.read_text(encoding="utf-8")
    for path in sorted(Path(str(identity.__file__)).parent.glob("*.py"))
    if path.name != "outcome.py"
)

PAGE = Path(__file__).parents[2] / "docs" / "identity.md"


def test_every_reason_has_its_sentence() -> None:
    assert set(get_args(Reason.__value__)) == set(REASONS)
    assert all(sentence and not sentence.endswith(".") for sentence in REASONS.values())


@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_is_given_somewhere(reason: str) -> None:
    assert re.search(f'"{reason}"', SOURCES), "a reason that nothing gives is a promise that nothing keeps"


@pytest.mark.parametrize("reason", REASONS)
def test_the_sender_learns_only_whether_there_was_a_bearer(reason: Reason) -> None:
    assert Refused(reason).public == ("bearer-missing" if reason == "bearer-missing" else "bearer-refused")


def table() -> str:
    """The reasons as docs/identity.md shows them."""
    rows = [f"| `{reason}` | {sentence} |" for reason, sentence in REASONS.items()]
    return "\n".join(["| reason | means |", "| --- | --- |", *rows])


def test_the_page_holds_the_current_table() -> None:
    shown = PAGE.read_text(encoding="utf-8").partition("## Reasons\n\n")[2].strip()
    assert shown == table(), "paste what `table()` gives into docs/identity.md"

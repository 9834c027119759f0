"""What the pages for security engineers name is there: files, tests, commands, options."""

import re

import pytest
import typer.main

from phigate.cli import app
from phigate.options import OPTIONS, ROOT

PAGES = [
    *(ROOT / "docs" / f"{name}.md" for name in ("threat-model", "hipaa", "security-testing", "faults")),
    ROOT / "SECURITY.md",
]
QUOTED = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)#\s]+)\)")
COMMANDS = set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]  # a group's
SAFEGUARDS = {"(a)(1)", "(a)(2)(i)", "(a)(2)(ii)", "(a)(2)(iii)", "(a)(2)(iv)", "(b)", "(c)(1)", "(c)(2)", "(d)"} | {
    "(e)(1)",
    "(e)(2)(i)",
    "(e)(2)(ii)",
}


def words(page):
    return QUOTED.findall(page.read_text(encoding="utf-8"))


def faults(word):
    """Why what is named is not there."""
    path, _, test = word.partition("::")
    if re.fullmatch(r"[\w/.-]+\.py", path):
        found = [
            ROOT / folder / path for folder in ("addons/phigate", "tests", ".") if (ROOT / folder / path).is_file()
        ]
        if not found:
            yield f"no file `{path}`"
        elif test and not re.search(rf"^(async )?def {test}\(", found[0].read_text(encoding="utf-8"), re.MULTILINE):
            yield f"`{path}` has no `{test}`"
    if command := re.fullmatch(r"phigate ([\w-]+).*", word):
        yield from [f"no command `{command[1]}`"] if command[1] not in COMMANDS else []
    if option := re.fullmatch(r"(phi_\w+)", word):
        yield from [f"no option `{option[1]}`"] if option[1] not in {name for name, *_ in OPTIONS} else []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_all_that_a_page_names_is_there(page):
    assert [fault for word in words(page) for fault in faults(word)] == []
    links = [link for link in LINK.findall(page.read_text(encoding="utf-8")) if "://" not in link]
    assert [link for link in links if not (page.parent / link).is_file()] == []


def test_what_is_not_there_is_noticed():
    named = ["gate/nowhere.py", "live/test_canaries.py::test_nothing", "phigate fly", "phi_nothing"]
    assert [len(list(faults(word))) for word in named] == [1] * len(named)


def test_enough_is_named():
    tests = [word for page in PAGES for word in words(page) if "::" in word]
    assert len(tests) > 60


def test_every_technical_safeguard_has_its_row():
    rows = [line.split(" | ") for line in PAGES[1].read_text(encoding="utf-8").splitlines() if line.startswith("| (")]
    assert {row[0].removeprefix("| ").split(" ")[0] for row in rows} == SAFEGUARDS
    kinds = {row[0].removeprefix("| ").split(" ")[0]: row[1] for row in rows}
    assert [each for each, kind in kinds.items() if kind == "standard"] == ["(a)(1)", "(b)", "(c)(1)", "(d)", "(e)(1)"]
    assert [each for each, kind in kinds.items() if kind == "required"] == ["(a)(2)(i)", "(a)(2)(ii)"]
    assert all(len(row) == 5 for row in rows)


def test_every_fault_has_its_test():
    page = (ROOT / "docs" / "faults.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| ") and not line.startswith("| broken")]
    cells = [row.strip("| ").split(" | ") for row in rows]
    assert cells
    assert [each[0] for each in cells if len(each) != 6 or "::test_" not in each[5]] == []

"""The rules of docs/architecture.md, read from the code itself."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ADDONS = ROOT / "addons"
SOURCES = sorted(ADDONS.rglob("*.py"))
PACKAGE = [path for path in SOURCES if "phigate" in path.parts and path.name != "__init__.py"]

GROUND, SHARED, ROOMS, GLUE, ROOF = range(5)
FLOORS = {
    "exchange": GROUND,
    "policy": GROUND,
    "dialect": SHARED,
    "ledger": SHARED,
    "journal": SHARED,
    "gate": ROOMS,
    "identity": ROOMS,
    "access": ROOMS,
    "approval": ROOMS,
    "masking": ROOMS,
    "capture": ROOMS,
    "telling": ROOMS,
    "agreement": GLUE,
    "answering": GLUE,
    "edits": GLUE,
    "flows": GLUE,
    "approvals": GLUE,
    "clock": GLUE,
    "holding": GLUE,
    "house": GLUE,
    "options": GLUE,
    "serving": GLUE,
    "sources": GLUE,
    "starting": GLUE,
    "trial": GLUE,
    "threads": GLUE,
    "unanswered": GLUE,
    "metrics": GLUE,
    "webhooks": GLUE,
    "host": GLUE,
    "gate.sentinel": GLUE,
    "rpc": GLUE,
    "console": ROOF,
    "audit": ROOF,
    "__main__": ROOF,
    "cli": ROOF,
    "conformance": ROOF,
    "evaluation": ROOF,
    "filters": ROOF,
    "remote": ROOF,
    "streams": ROOF,
    "terminal": ROOF,
    "text": ROOF,
    "workers": ROOF,
}
"""By room or file; a room's `addon` is glue, and the console's is roof as the console is."""

ADDON = re.compile(r"\w+\.addon")
KNOW_THE_WORLD = {
    *(
        "policy.hours",
        "policy.load",
        "dialect.reference",
        "policy.reference",
        "masking.roster",
        "masking.tagger.lexicon",
        "masking.tagger.model",
    ),
    *("identity.fetch", "identity.keys", "identity.verify"),
    *("identity.follow", "identity.introspect", "identity.keyring"),
    *("ledger.bounded", "ledger.engines", "ledger.faults", "ledger.ledger", "ledger.opening"),
    *("ledger.sharing", "ledger.spending"),
    "telling.post",
    *("journal.commit", "journal.writer", "journal.read", "journal.pack", "journal.disk"),
    "journal.quarantine",
    *("journal.folder", "journal.signer", "journal.checkpoint", "journal.anchor"),
    "journal.gone",
    "journal.hand",
    "journal.holds",
}
"""The files below the glue that know a clock, a disk, a network or chance; all others are told."""
WORLD = {"time", "random", "secrets", "socket", "ssl", "os", "sys", "threading", "asyncio", "subprocess", "httpx"} | {
    "zoneinfo"
}
TOUCHES = re.compile(r"\bopen\(|\.read_(?:bytes|text)\(|\.write_(?:bytes|text)\(|\.now\(|\.today\(|\.utcnow\(")


def name_of(path):
    """`access.addon` for addons/phigate/access/addon.py."""
    return ".".join(path.relative_to(ADDONS / "phigate").with_suffix("").parts)


@cache
def tree_of(path):
    return ast.parse(path.read_text())


def floor_of(name):
    room = name.partition(".")[0]
    if room in {"audit", "console"}:
        return ROOF
    return GLUE if ADDON.fullmatch(name) else FLOORS.get(name, FLOORS.get(room))


def imports_of(path):
    """Full names of everything a file imports, for types or not: `phigate.policy.decide.Permit`, `time`."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def files_of_ours(path):
    """Which of the package's files a file imports, by `name_of`."""
    for full in imports_of(path):
        parts = full.split(".")
        if parts[0] == "phigate":
            found = [".".join(parts[1:end]) for end in range(len(parts), 1, -1)]
            known = (
                name for name in found if (ADDONS / "phigate" / name.replace(".", "/")).with_suffix(".py").exists()
            )
            yield next(known, parts[1])


each_file = pytest.mark.parametrize("path", PACKAGE, ids=name_of)


@each_file
def test_a_file_has_its_floor(path):
    assert floor_of(name_of(path)) is not None


@each_file
def test_only_glue_imports_mitmproxy(path):
    name = name_of(path)
    may = ADDON.fullmatch(name) or name in {"flows", "gate.sentinel"} or name.startswith("host.")
    assert may or not [full for full in imports_of(path) if full.startswith("mitmproxy")]


@each_file
def test_a_file_imports_nothing_from_a_floor_above_it(path):
    floor = floor_of(name_of(path))
    above = [name for name in files_of_ours(path) if name != "__version__" and floor_of(name) > floor]
    assert above == []


@each_file
def test_the_pure_files_of_a_room_know_no_other_room(path):
    name = name_of(path)
    if floor_of(name) == ROOMS:
        room = name.partition(".")[0]
        rooms = {other.partition(".")[0] for other in files_of_ours(path) if floor_of(other) == ROOMS}
        assert rooms <= {room}


@each_file
def test_nobody_imports_an_addon(path):
    assert [name for name in files_of_ours(path) if ADDON.fullmatch(name)] == []


@each_file
def test_below_the_glue_nobody_knows_the_world(path):
    name = name_of(path)
    if floor_of(name) < GLUE and name not in KNOW_THE_WORLD:
        assert {full.partition(".")[0] for full in imports_of(path)} & WORLD == set()
        assert TOUCHES.findall(path.read_text()) == []


def test_the_list_of_those_who_know_the_world_is_not_longer_than_needed():
    for name in KNOW_THE_WORLD:
        path = (ADDONS / "phigate" / name.replace(".", "/")).with_suffix(".py")
        assert {full.partition(".")[0] for full in imports_of(path)} & WORLD or TOUCHES.search(path.read_text()), name


# -- gateway.py -----------------------------------------------------------------------------------------------------

GATEWAY = ADDONS / "gateway.py"


def test_the_script_fits_on_a_screen():
    assert len(GATEWAY.read_text().splitlines()) <= 40


def test_the_script_imports_makes_a_house_and_lists_the_chain():
    kinds = [type(node).__name__ for node in tree_of(GATEWAY).body]
    assert kinds == ["Expr", "Import", "Try", "Assign", "Expr", "Assign"]
    guard, house, opening, chain = tree_of(GATEWAY).body[2:]
    assert isinstance(guard, ast.Try)
    assert {type(node) for node in guard.body} == {ast.ImportFrom}
    (handler,) = guard.handlers
    (leaves,) = handler.body
    assert ast.unparse(handler.type or ast.Name("")) == "Exception"
    assert ast.unparse(leaves).startswith("sys.exit(")
    assert ast.unparse(house) == "house = House()"
    assert ast.unparse(opening) == "house.open_or_end()"
    assert re.fullmatch(r"addons = \[(\w+\(house\), )+\w+\(house\)\]", ast.unparse(chain))


# -- tests ----------------------------------------------------------------------------------------------------------

LIKE_NOTHING = {"fuzzing", "live", "peers", "samples", "scripts", "tables", "training", "test_architecture.py"}
"""Tests of something else than one source file."""


@pytest.mark.parametrize("path", [GATEWAY, *PACKAGE], ids=lambda path: path.stem if path == GATEWAY else name_of(path))
def test_a_source_file_has_its_test_file(path):
    within = Path() if path == GATEWAY else path.parent.relative_to(ADDONS / "phigate")
    test = ROOT / "tests" / within / f"test_{path.name}"
    assert test.is_file()
    assert re.search(r"^(async )?def test_|^class Test", test.read_text(), re.MULTILINE)


def test_a_test_file_has_its_source_file():
    known = {path.relative_to(ADDONS / "phigate") for path in PACKAGE} | {Path("gateway.py")}
    tests = [path.relative_to(ROOT / "tests") for path in (ROOT / "tests").rglob("test_*.py")]
    mirrored = [test for test in tests if test.parts[0] not in LIKE_NOTHING]
    assert len(mirrored) > 50
    assert [test for test in mirrored if test.with_name(test.name.removeprefix("test_")) not in known] == []


# -- every file -----------------------------------------------------------------------------------------------------

MADE = {".git", "var", "dist", "corpus", "__pycache__", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".hypothesis"}
FILES = [
    path
    for top in sorted(ROOT.iterdir())
    if top.name not in MADE and not top.name.startswith(".venv")
    for path in ([top] if top.is_file() else sorted(top.rglob("*")))
    if path.is_file() and not MADE & set(path.parts[len(ROOT.parts) :])
]
NOWHERE = [  # none of these patterns is matched by its own text
    ("a package index's host", r"py[p]i\.(?:org|python)|pythonhos[t]ed|npm[j]s\.|crates\.[i]o|--index-ur[l]"),
    ("a path of somebody's machine", r"/(?:home|root|Users)/(?!\$)[A-Za-z]|(?<![\w.])/[w]ork/|/[t]mp/lab"),
    ("a left-over marker", r"\b(?:TO[D]O|FIX[M]E|HAC[K])\b|\bXX[X]\b(?!-)|<<<<<[<]<|>>>>>[>]>"),
    ("a stub", r"NotImplemente[d]"),
    ("talk of how it is worked on", r"(?i:\bissue #?\d|\bpull [r]equest|\blater [i]ssue)|\b[Ss]prin[t]\b"),
    ("a page that is not here", r"\b(?:DESIGN|FACTS|STYLE|WIRE)(?:\.m[d]|: | \d)"),
]


@pytest.mark.parametrize(("sentence", "pattern"), NOWHERE, ids=[case[0] for case in NOWHERE])
def test_no_file_holds(sentence, pattern):
    found = re.compile(pattern)
    assert len(FILES) > 150
    texts = ((path, path.read_text(errors="replace")) for path in FILES)
    assert [f"{path.relative_to(ROOT)}: {match[0]}" for path, text in texts for match in found.finditer(text)] == []


def test_the_licence_that_the_project_names_is_there():
    assert 'license = "Apache-2.0"' in (ROOT / "pyproject.toml").read_text()
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License" in text
    assert "Version 2.0, January 2004" in text

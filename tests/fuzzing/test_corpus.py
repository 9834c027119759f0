"""Every example and every finding of every target, without a fuzzer: nothing that was fixed comes back."""

import hashlib
import json
import os
import random
import time
from pathlib import Path

import pytest

from tests.fuzzing import __main__ as command
from tests.fuzzing import bodies, run
from tests.fuzzing.target import Target, Wrong, alike, edited, hold
from tests.fuzzing.targets import TARGETS

CORPUS = Path(__file__).parents[1] / "corpus"
KEPT = sorted(path for path in CORPUS.rglob("*") if path.is_file())
MOST = 200 * 1024
"""Bytes of all of it."""
MUTANTS = 3000 if os.environ.get("PHIGATE_THOROUGH") else 25
"""Of each target, from a seed, beside what is kept."""


def mutant(known, words, longest, chance):
    """One input made of others: bytes changed, words put in, pieces doubled or left out."""
    data = bytearray(chance.choice(known))
    for _ in range(chance.randint(1, 6)):
        at, size = chance.randint(0, len(data)), chance.randint(1, 8)
        piece = bytes(data[at : at + size])
        come = [
            bytes([chance.randrange(256)]),
            piece * 2,
            b"",
            piece[::-1],
            *(chance.sample(words, 1) if words else ()),
        ]
        data[at : at + size] = chance.choice(come)
    return bytes(data[:longest])


@pytest.mark.parametrize("name", TARGETS)
def test_a_target(name):
    target = TARGETS[name]
    known = [*target.seeds(), *(path.read_bytes() for path in KEPT if path.parent.name == name)]
    assert known
    for data in known:
        target.run(data)
    chance = random.Random(f"{name} 1")
    for _ in range(MUTANTS):
        target.run(mutant(known, target.words, target.longest, chance))


def places(node):
    """Every member and item of a tree."""
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [place for key, value in list(items) for place in ((node, key), *places(value))]


@pytest.mark.parametrize("odd", [[], {}], ids=str)
def test_no_value_of_another_kind_breaks_what_reads_a_request(odd):
    """Wherever it stands, in every dialect: read or refused, and it is known whether it steers the answer."""
    routes = {route.dialect: route for route in bodies.BODIES}.values()
    for tree in bodies.CHOOSING:
        for node, key in places(tree):
            was, node[key] = node[key], odd
            content = json.dumps(tree).encode()
            node[key] = was
            for route in routes:
                bodies.asked_of(route, content)


def test_what_is_kept_is_small_and_of_a_target():
    assert {path.parent.name for path in KEPT} <= TARGETS.keys()
    assert sum(path.stat().st_size for path in KEPT) < MOST
    for path in KEPT:
        assert path.stat().st_size <= TARGETS[path.parent.name].longest
        if not path.name.startswith("finding-"):
            assert hashlib.sha256(path.read_bytes()).hexdigest().startswith(path.name)


def test_the_page_names_every_target():
    page = (CORPUS.parents[1] / "docs" / "security-testing.md").read_text(encoding="utf-8")
    assert [name for name in TARGETS if f"`{name}`" not in page] == []


@pytest.mark.parametrize("name", TARGETS)
def test_no_example_is_longer_than_an_input(name):
    assert max(map(len, TARGETS[name].seeds())) <= TARGETS[name].longest


class TestWatch:
    def watched(self, tmp_path, broken):
        def run_it(data):
            hold(data != b"wrong", "not as it should be")
            if data == b"raises":
                raise KeyError(data)
            if data == b"slow":
                end = time.process_time() + 0.02
                while time.process_time() < end:
                    pass

        watch = run.Watch(Target(run_it, list), tmp_path / "findings")
        for data in broken:
            watch(data)
        return sorted(path.read_bytes() for path in (tmp_path / "findings").glob("*"))

    def test_keeps_each_finding_once_and_goes_on(self, tmp_path, capsys):
        assert self.watched(tmp_path, [b"fine", b"wrong", b"wrong", b"raises", b"fine"]) == [b"raises", b"wrong"]
        said = capsys.readouterr().err
        assert "KeyError at test_corpus.py" in said
        assert "Wrong (not as it should be) at test_corpus.py" in said

    def test_keeps_what_takes_long(self, tmp_path, monkeypatch):
        monkeypatch.setattr(run, "SLOW", 0.01)
        assert self.watched(tmp_path, [b"slow"]) == [b"slow"]


def test_what_is_read_otherwise_in_pieces_is_wrong():
    assert alike(b"abc", b"".join, ValueError) == b"abc"
    with pytest.raises(Wrong):
        alike(b"abc", len, ValueError)


@pytest.mark.parametrize(
    ("edits", "expected"),
    [(b"", b"honest"), (b"\0\0\0\0", b"honest"), (b"\0\1\5a", b"hanest"), (b"\0\6\4!", b"honest!")],
)
def test_edits(edits, expected):
    assert edited(b"honest", edits) == expected


def test_what_is_kept_is_some_of_what_was_learned_and_every_finding(tmp_path, monkeypatch):
    monkeypatch.setattr(command, "OURS", tmp_path / "ours")
    monkeypatch.setattr(command, "CORPUS", tmp_path / "corpus")
    command.write(tmp_path / "ours" / "json" / "corpus", [bytes([at]) * at for at in range(1, 200)] + [b"x" * 5000])
    command.write(tmp_path / "corpus" / "json", [b"what it was"])
    (tmp_path / "corpus" / "json" / "finding-it").write_bytes(b"found")
    command.keep("json")
    kept = {path.name: path.read_bytes() for path in (tmp_path / "corpus" / "json").iterdir()}
    assert kept.pop("finding-it") == b"found"
    assert 20 < len(kept) <= command.MANY_KEPT
    assert sum(map(len, kept.values())) <= command.MOST_KEPT
    assert b"what it was" not in kept.values()


def test_words_are_written_as_libfuzzer_reads_them():
    assert command._escaped(b'a"\\b\r\xff') == "a\\x22\\x5cb\\x0d\\xff"

"""An index that was kept up to date is, after anything, what one made new would be."""

import os
import random
from pathlib import Path

import pytest

from phigate.audit.index import database as databases
from phigate.audit.index.database import IndexFault, open_index
from phigate.journal import chain, zst
from phigate.journal.read import Flaw
from tests.journal.samples import chained, request, response

NAMES = [f"gw-20261123T15040{n}Z-{n * 10}.jsonl" for n in range(4)]


def written(number, *more, instance="gw"):
    """A file in which one exchange ends that began in the file before, and one begins that ends in the next."""
    rows = [
        ("opened", {"software": "0"}),
        ("request", request(f"ex-{number}") | {"identifiers": ["MRN:1"], "revealed": []}),
        ("response", response(f"ex-{number}")),
        ("request", request(f"across-{number}")),
        *([("response", response(f"across-{number - 1}"))] if number else []),
        ("policy", {"policy": "p"}),
        *more,
    ]
    return b"".join(chained(rows, seq=number * 10))


@pytest.fixture
def folder(tmp_path):
    for number, name in enumerate(NAMES):
        (tmp_path / name).write_bytes(written(number, ("closed", {"reason": "rotated"})))
    return tmp_path


def contents(folder):
    """What the index tells, without numbers of its own."""
    asked = (
        "SELECT name, bytes, lines, last, whole, tail FROM file ORDER BY name",
        "SELECT exchange, ts, ended, outcome, subject, held FROM exchange ORDER BY exchange",
        """SELECT exchange, kind, name, offset, length, seq FROM place JOIN exchange ON exchange.id = exchange_id
        JOIN file ON file.id = file_id ORDER BY name, offset""",
        "SELECT exchange, entity, side, n FROM found JOIN exchange ON exchange.id = exchange_id ORDER BY 1, 2, 3",
        "SELECT value, exchange, side, revealed FROM identifier JOIN exchange ON exchange.id = exchange_id ORDER BY 2",
        "SELECT kind, event.ts, name, offset, length, fields FROM event JOIN file ON file.id = file_id ORDER BY 3, 4",
    )
    with open_index(folder) as index:
        return [[tuple(row) for row in index.rows(sql)] for sql in asked], index.flaws


def check(folder):
    """Both must be the same: what is kept, and what is made new. Tells whether it was kept."""
    before = (folder / "index.db").stat().st_ino
    kept = contents(folder)
    same = (folder / "index.db").stat().st_ino == before
    (folder / "index.db").unlink()
    assert kept == contents(folder)
    return same


def compress(path):
    path.with_name(path.name + ".zst").write_bytes(b"".join(zst.packed([path.read_bytes()])))
    path.unlink()


def append(path, raw):
    with path.open("ab") as file:
        file.write(raw)


def replace(path, raw):
    path.with_name("new").write_bytes(raw)
    path.with_name("new").replace(path)


def flip(path, place):
    raw = bytearray(path.read_bytes())
    raw[place] ^= 1
    replace(path, bytes(raw))


CHANGES = {
    "nothing": lambda folder: None,
    "the first is gone": lambda folder: (folder / NAMES[0]).unlink(),
    "one in the middle is gone": lambda folder: (folder / NAMES[1]).unlink(),
    "the last is gone": lambda folder: (folder / NAMES[3]).unlink(),
    "all are gone": lambda folder: [path.unlink() for path in folder.glob("*.jsonl")],
    "one is cut": lambda folder: os.truncate(folder / NAMES[1], 700),
    "one is cut at a line": lambda folder: replace(folder / NAMES[2], b"".join(written(2).splitlines(True)[:-2])),
    "one is empty": lambda folder: replace(folder / NAMES[2], b""),
    "one byte is another": lambda folder: flip(folder / NAMES[1], 300),
    "a line is no record": lambda folder: replace(folder / NAMES[1], b"{}\n" + written(1)),
    "one is another": lambda folder: replace(folder / NAMES[1], written(7)),
    "two are exchanged": lambda folder: [
        replace(folder / NAMES[1], written(2)),
        replace(folder / NAMES[2], written(1)),
    ],
    "a new one": lambda folder: (folder / "gw-20261124T150405Z-50.jsonl").write_bytes(written(5)),
    "a new one before all": lambda folder: (folder / "aa-20261124T150405Z-50.jsonl").write_bytes(written(5)),
    "one goes on behind its end": lambda folder: append(folder / NAMES[3], written(8)),
    "a torn end": lambda folder: append(folder / NAMES[3], b'{"v":1,"seq":99'),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_after_a_change_it_is_as_if_made_new(folder, change):
    contents(folder)
    change(folder)
    assert check(folder)


def test_a_file_that_grows_is_read_on(folder, monkeypatch):
    path = folder / "gw-20261124T150405Z-50.jsonl"
    raw = written(5, ("closed", {}))
    chance = random.Random(6)
    cuts = sorted({0, len(raw), *chance.sample(range(len(raw)), 12)})
    monkeypatch.setattr("phigate.audit.index.upkeep.Upkeep._forget", lambda *_: pytest.fail("it is what it was"))
    for start, end in zip([0, *cuts], cuts, strict=False):
        with path.open("ab") as file:
            file.write(raw[start:end])
        contents(folder)
    monkeypatch.undo()
    assert check(folder)


def test_what_ended_is_not_read_again(folder, monkeypatch):
    before = contents(folder)
    monkeypatch.setattr("phigate.journal.read.opened", lambda _: pytest.fail("it is what it was"))
    assert contents(folder) == before


def test_a_torn_end_that_became_a_line(folder):
    path = folder / NAMES[3]
    *lines, last = written(3, ("look", {})).splitlines(keepends=True)
    replace(path, b"".join(lines) + last[:40])
    _, flaws = contents(folder)
    assert flaws == [Flaw(NAMES[3], len(lines) + 1, "torn", 40)]
    replace(path, b"".join([*lines, last]))
    assert contents(folder)[1] == []
    assert check(folder)


def test_flaws_are_remembered(folder):
    replace(folder / NAMES[1], b"{}\n" + written(1, ("closed", {})))
    flaw = [Flaw(NAMES[1], 1, "not-a-record", 3)]
    assert contents(folder)[1] == flaw
    assert contents(folder)[1] == flaw
    assert check(folder)


def test_two_instances_with_the_same_numbers(folder):
    (folder / "other-20261123T150400Z-0.jsonl").write_bytes(b"".join(chained([("request", request("theirs"))])))
    contents(folder)
    (folder / NAMES[0]).unlink()
    assert check(folder)


def test_a_file_that_cannot_be_read_is_told(folder, monkeypatch):
    real = Path.open

    def refused(self, *args, **more):
        if self.name == NAMES[2]:
            raise PermissionError(13, "Permission denied", str(self))
        return real(self, *args, **more)

    monkeypatch.setattr(Path, "open", refused)
    with pytest.raises(IndexFault, match=f"{NAMES[2]}: permission denied"):
        open_index(folder)


def after_a_fault(folder, spared=2):
    """The disk failed while the last file was written: its last records were never acknowledged."""
    path = folder / NAMES[3]
    lines = written(3, ("request", request("lost")), ("response", response("across-3"))).splitlines(keepends=True)
    replace(path, b"".join(lines))
    seq = 30 + len(lines) - spared
    spare = {"lines": spared, "bytes": sum(map(len, lines[-spared:]))}
    follows = {"file": path.name, "hash": chain.digest(lines[-spared - 1]), "spare": spare}
    return f"gw-20261124T150405Z-{seq}.jsonl", b"".join(
        chained(
            [
                ("opened", {"software": "0", "follows": follows}),
                ("response", response("across-3") | {"outcome": "unrecorded", "findings": {}}),
            ],
            seq=seq,
        )
    )


@pytest.mark.parametrize("before", [True, False])
def test_what_was_never_acknowledged_counts_for_nothing(folder, before):
    """Also where it was indexed before the file that says so was there."""
    name, raw = after_a_fault(folder)
    if before:
        told, _ = contents(folder)
        assert "lost" in {row[0] for row in told[1]}
    (folder / name).write_bytes(raw)
    told, _ = contents(folder)
    assert "lost" not in {row[0] for row in told[1]}
    assert [row[3] for row in told[1] if row[0] == "across-3"] == ["unrecorded"]
    assert [row for row in told[3] if row[:3] == ("across-3", "MRN", "out")] == []
    compress(folder / NAMES[3])
    assert contents(folder)[0][1:] == told[1:]
    assert check(folder)
    (folder / name).unlink()
    assert check(folder)


def test_no_other_instance_says_what_counts_for_nothing(folder):
    told, _ = contents(folder)
    follows = {"file": NAMES[3], "hash": "", "spare": {"lines": 9, "bytes": 9}}
    raw = b"".join(chained([("opened", {"follows": follows})], seq=0))
    (folder / "evil.cli-20261124T150405Z-0.jsonl").write_bytes(raw)
    assert contents(folder)[0][1] == told[1]


@pytest.mark.parametrize("opened", [0, 1, 4])
def test_compressed_files_are_the_same(folder, opened):
    """However many of them were indexed before they were compressed."""
    plain = contents(folder)
    (folder / "index.db").unlink()
    for name in NAMES[opened:]:
        (folder / name).rename(folder / f"{name}.aside")
    contents(folder)
    for name in NAMES[opened:]:
        (folder / f"{name}.aside").rename(folder / name)
    for name in NAMES:
        compress(folder / name)
    assert contents(folder) == plain
    assert check(folder)


def test_a_compressed_file_that_does_not_hold(folder):
    contents(folder)
    compress(folder / NAMES[1])
    flip(folder / f"{NAMES[1]}.zst", 100)
    told, flaws = contents(folder)
    assert flaws == [Flaw(NAMES[1], 1, "damaged", 0)]
    assert [row[0] for row in told[1] if row[0].startswith("ex-")] == ["ex-0", "ex-2", "ex-3"]
    assert check(folder)


def test_a_file_that_is_compressed_at_the_wrong_moment(folder, monkeypatch):
    """Between the listing and the reading: it is found again under its new name."""
    real, times = databases.Upkeep.run, []

    def run(self):
        times.append(1)
        if len(times) == 1:
            raise FileNotFoundError(2, "gone")
        real(self)

    monkeypatch.setattr(databases.Upkeep, "run", run)
    assert len(contents(folder)[0][0]) == 4
    assert len(times) == 3  # the second found all, the third looked after the index had its name

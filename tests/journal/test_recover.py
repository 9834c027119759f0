from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from phigate.journal import chain, life, pack, read, recover
from phigate.journal.head import Head
from phigate.journal.recover import JournalFault
from phigate.journal.tree import Range
from tests.journal.samples import chained, put, request, response

if TYPE_CHECKING:
    from pathlib import Path

START = "20261123T150405Z"


def put_file(folder: Path, before: Head, *rows: tuple[chain.Kind, Any], end: bytes = b"", old: bool = False) -> Path:
    """A file behind `before`, as a gateway writes it; `old` as one of an earlier version wrote it."""
    path = folder / f"gw-{START}-{before.seq}.jsonl"
    fields = life.opened_record(life.Known("0"), path.name, before, started=True)
    if old:
        fields = {name: fields[name] for name in ("software", "file", "follows")}
    lines = chained([("opened", fields), *rows], seq=before.seq, prev=before.last)
    path.write_bytes(b"".join(lines) + end)
    return path


def head_of(path: Path, before: Head) -> Head:
    """Where the journal stands behind this file."""
    head = before.copy()
    for item in read.entries(path):
        if isinstance(item, read.Entry):
            head.tree.append(chain.sha256(item.raw))
            head.seq, head.last, head.file = item.record["seq"] + 1, chain.digest(item.raw), path.name
            head.note(item.record["kind"], item.record, path.name)
    head.end = sum(map(len, read.lines(path)))
    return head


def left_in(folder: Path) -> recover.Legacy:
    return recover.legacy(read.files(folder, "gw"))


def test_a_first_start_has_no_legacy(tmp_path: Path) -> None:
    assert left_in(tmp_path) == recover.Legacy()


def test_only_permitted_requests_wait_for_an_answer(tmp_path: Path) -> None:
    path = put_file(
        tmp_path,
        Head(),
        ("request", request("answered")),
        ("request", request("denied", verb="deny")),
        ("request", request("open")),
        ("request", request("emergency", verb="break_glass")),
        ("hold", request("held", verb="hold")),
        ("response", response("answered")),
    )
    left = left_in(tmp_path)
    assert left.head.open == {"open": path.name, "emergency": path.name}
    assert left == recover.Legacy(head_of(path, Head()), {path.name: 0})


@pytest.mark.parametrize("end", [b'{"v":1,"se', b"\0" * 700])
def test_a_torn_end_is_measured_and_the_chain_goes_on_before_it(tmp_path: Path, end: bytes) -> None:
    path = put_file(tmp_path, Head(), ("request", request("open")), end=end)
    left = left_in(tmp_path)
    assert left.torn == {path.name: len(end)}
    assert left.head.last == chain.digest(list(read.lines(path))[1])


def changed(line: int, old: bytes, new: bytes) -> Any:
    def change(lines: list[bytes]) -> list[bytes]:
        assert old in lines[line - 1]
        return [each.replace(old, new) if number == line else each for number, each in enumerate(lines, 1)]

    return change


@pytest.mark.parametrize(
    ("damage", "line", "reason"),
    [
        pytest.param(lambda lines: [*lines, b"\0\0\0\n"], 4, "not-a-record", id="zeros"),
        pytest.param(lambda lines: [*lines, b"{}\n"], 4, "not-a-record", id="no record"),
        pytest.param(lambda lines: [*lines, b'{"v":2}\n'], 4, "not-a-record", id="of another version"),
        pytest.param(lambda lines: [*lines, b"\n"], 4, "not-a-record", id="an empty line"),
        pytest.param(lambda lines: [lines[0], b"\xff" + lines[1], lines[2]], 2, "not-a-record", id="a byte more"),
        pytest.param(changed(2, b"ada", b"eve"), 3, "wrong-prev", id="a changed word"),
        pytest.param(lambda lines: [lines[0], lines[2]], 2, "wrong-prev", id="a line is gone"),
        pytest.param(lambda lines: lines[1:], 1, "not-opened", id="the first line is gone"),
        pytest.param(changed(1, b'"file":"gw', b'"file":"gx'), 1, "wrong-name", id="another file's content"),
        pytest.param(changed(1, b'"tree":[', b'"tree":["ab"'), 1, "wrong-start", id="a tree that is none"),
        pytest.param(changed(1, b'"open":{}', b'"open":[]'), 1, "wrong-start", id="who is open is no table"),
    ],
)
def test_damage_that_is_no_torn_end_names_place_and_remedy(tmp_path: Path, damage: Any, line: int, reason: str) -> None:
    path = put_file(tmp_path, Head(), ("request", request("open")), ("look", {}))
    path.write_bytes(b"".join(damage(list(read.lines(path)))))
    with pytest.raises(
        JournalFault, match=f"{path.name}:{line}: {reason}; .*`phigate quarantine {path} --reason TEXT`"
    ):
        left_in(tmp_path)


def test_a_file_of_which_nothing_arrived_changes_nothing(tmp_path: Path) -> None:
    path = put_file(tmp_path, Head())
    torn = tmp_path / f"gw-{START}-1.jsonl"
    torn.write_bytes(b'{"v":1')
    empty = tmp_path / "gw-20261123T150406Z-1.jsonl"
    empty.touch()
    left = left_in(tmp_path)
    assert left.head == head_of(path, Head())
    assert left.torn == {path.name: 0, torn.name: 6, empty.name: 0}


def test_only_the_newest_file_is_read_since_its_head_says_what_was_before(tmp_path: Path) -> None:
    first = put_file(tmp_path, Head(), ("request", request("one")), ("request", request("two")))
    before = head_of(first, Head())
    second = put_file(tmp_path, before, ("recovered", {"exchange": "one", "outcome": "interrupted"}))
    first.write_bytes(b"this would be damage\n")
    left = left_in(tmp_path)
    assert left == recover.Legacy(head_of(second, before), {second.name: 0})
    assert left.head.open == {"two": first.name}


def test_files_of_an_earlier_version_are_read_back_to_the_first(tmp_path: Path) -> None:
    first = put_file(tmp_path, Head(), ("request", request("one")), ("request", request("two")), old=True)
    before = head_of(first, Head())
    second = put_file(tmp_path, before, ("recovered", {"exchange": "one", "outcome": "interrupted"}), old=True)
    left = left_in(tmp_path)
    assert left == recover.Legacy(head_of(second, before), {first.name: 0, second.name: 0})
    first.unlink()
    with pytest.raises(JournalFault, match="wrong-start"):
        left_in(tmp_path)


def test_a_compressed_file_is_as_good(tmp_path: Path) -> None:
    path = put_file(tmp_path, Head(), ("request", request("one")))
    left = left_in(tmp_path)
    pack.pack(path)
    assert left_in(tmp_path) == left


def test_another_instances_files_are_none_of_ours(tmp_path: Path) -> None:
    put_file(tmp_path, Head(), ("request", request("open")))
    assert recover.legacy(read.files(tmp_path, "gw-2")) == recover.Legacy()


def test_a_damaged_file_that_was_put_aside_counts_as_it_stands(tmp_path: Path) -> None:
    first = put_file(tmp_path, Head(), ("look", {}))
    before = head_of(first, Head())
    second = put_file(tmp_path, before, ("request", request("one")), ("look", {}), ("look", {}), end=b"torn")
    (tmp_path / "aside").mkdir()
    aside = second.rename(tmp_path / "aside" / second.name)
    lines = list(read.lines(aside))
    lines[2] = b"damage\n"
    aside.write_bytes(b"".join(lines))
    left = recover.legacy(read.files(tmp_path, "gw"), read.files(aside.parent, "gw"))
    tree = before.tree.copy()
    for line in lines[:4]:
        tree.append(chain.sha256(line))
    expected = Head(before.seq + 4, chain.digest(lines[3]), aside.name, sum(map(len, lines[:4])), tree)
    assert left.head == Head(expected.seq, expected.last, expected.file, expected.end, tree, {"one": aside.name})
    assert left.torn == {aside.name: 4}


@pytest.mark.parametrize("damage", [b"noise\n", b'{"v":1,"se'])
def test_a_file_aside_whose_head_is_gone_is_counted_from_the_one_before(tmp_path: Path, damage: bytes) -> None:
    first = put_file(tmp_path, Head(), ("look", {}))
    (tmp_path / "aside").mkdir()
    (tmp_path / "aside" / f"gw-{START}-2.jsonl").write_bytes(damage)
    left = recover.legacy(read.files(tmp_path, "gw"), read.files(tmp_path / "aside", "gw"))
    assert left.head.seq == 2 + damage.count(b"\n")
    assert first.name in left.torn


# -- behind the last record that counts -------------------------------------------------------------------------------


def test_what_was_never_acknowledged_is_counted(tmp_path: Path) -> None:
    path = put_file(tmp_path, Head(), ("look", {}))
    head = head_of(path, Head())
    assert recover.rest_of(tmp_path, head) == life.Rest()
    with path.open("ab") as file:
        file.write(b"one\ntwo\nthr")
    assert recover.rest_of(tmp_path, head) == life.Rest(lines=2, bytes=8, torn=3)
    pack.pack(path)
    assert recover.rest_of(tmp_path, head) == life.Rest(lines=2, bytes=8, torn=3)


def test_nothing_is_counted_of_what_is_not_there(tmp_path: Path) -> None:
    assert recover.rest_of(tmp_path, Head()) == life.Rest()
    assert recover.rest_of(tmp_path, Head(1, "ab" * 32, "gone.jsonl", 5, Range([bytes(32)], 1))) == life.Rest()


@pytest.mark.parametrize(
    "head",
    [{"follows": "x"}, {"follows": {"file": 5, "hash": chain.ZEROS}}, {"open": {"ex-1": 5}}, {"open": {"ex-1": [[]]}}],
    ids=str,
)
def test_a_head_of_other_shapes_is_damage(tmp_path: Path, head: Any) -> None:
    name = "gw-20261123T150405Z-0"
    put(tmp_path, name, ("opened", {"file": f"{name}.jsonl", "follows": None, "tree": [], "open": {}} | head))
    with pytest.raises(JournalFault, match=":1: wrong-start;"):
        recover.legacy(read.files(tmp_path, "gw"))

"""The head of a file, and what records say of files that are gone."""

import pytest

from phigate.journal.source import First, Pruned, Source, Unreadable, first_of, pruned_of
from tests.journal.proving import Made, Writer


def source(raw):
    return Source("gw-1-20261123T150405Z-0.jsonl", 0, lambda: iter(raw.splitlines(keepends=True)), bytes)


def made(*records):
    writer = Writer(Made())
    writer.open()
    for kind, fields in records:
        writer.add(kind, **fields)
    return writer.made.files[writer.name]


def test_the_head_of_a_file_is_its_first_record():
    first = first_of(source(made()))
    assert first.begun
    assert first.opened["kind"] == "opened"
    assert first.empty == []
    assert source(b"").beside == "gw-1-20261123T150405Z-0.checkpoints"


def test_it_names_files_of_which_nothing_counts():
    files = [{"file": "a", "torn": 0, "unacknowledged": True}, {"file": "b", "torn": 3}, "c"]
    assert first_of(source(made(("recovered", {"files": files})))).empty == ["a"]
    assert first_of(source(made(("recovered", {"files": 7})))).empty == []


@pytest.mark.parametrize(("raw", "begun"), [(b"", False), (b"torn", False), (b"line\n", True), (made()[:-1], True)])
def test_files_without_a_head(raw, begun):
    assert first_of(source(raw))[0] is begun or raw == made()[:-1]
    assert first_of(source(raw)).opened == {}


def test_a_file_that_cannot_be_read():
    def broken():
        yield from ()
        raise Unreadable

    assert first_of(Source("f", 0, broken, bytes)) == First(True, {}, [])


def test_what_a_prune_record_says():
    record = {"seq": 9, "file": "f", "since": 0, "last": 4, "digest": "d", "root": "r"}
    assert pruned_of(record, "w") == Pruned("f", 0, 4, "d", "r", 9, "w")
    for name in ("file", "since", "last", "digest", "root"):
        assert pruned_of(record | {name: None}, "w") is None


def test_of_a_head_only_what_is_asked_for_is_held():
    writer = Writer(Made())
    writer.name = "x"
    writer.open(torn=3, spare={"lines": 1, "bytes": 9, "more": [1]}, noise="y" * 5000)
    opened = first_of(source(writer.made.files[writer.name])).opened
    assert opened == {
        "kind": "opened",
        "seq": 0,
        "follows": {"file": "x", "torn": 3, "spare": {"lines": 1, "bytes": 9}},
    }

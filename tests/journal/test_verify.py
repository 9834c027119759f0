"""One instance's walk: what the small journal of attacks does not reach."""

import pytest

from phigate.journal import chain, verify
from phigate.journal.source import Source, Unreadable
from phigate.journal.verify import walk
from tests.journal.proving import Made, Writer, evidence, findings, reasons, sample


def walked(made, progress=lambda _size: None):
    (sources,) = evidence(made).sources.values()
    return walk("gw-1", sources, made.keys, (), progress)


def test_the_progress_is_all_the_bytes(monkeypatch):
    monkeypatch.setattr(verify, "SHARE", 2)
    made, told = sample(), []
    walked(made, told.append)
    assert sum(told) == sum(len(made.files[name]) for name in made.journals)
    assert len(told) > len(made.journals)


def test_a_file_that_cannot_be_read_to_its_end():
    made = sample()
    (sources,) = evidence(made).sources.values()

    def broken():
        yield from list(sources[0].lines())[:2]
        raise Unreadable

    proof = walk("gw-1", [sources[0]._replace(lines=broken), *sources[1:]], made.keys).proof
    assert {"unreadable", "missing"} - {each.reason for each in proof.findings} <= {"missing"}
    assert proof.signed.spans == [(5, 14)]


def test_a_line_longer_than_a_record_is_no_torn_end(monkeypatch):
    made = sample()
    monkeypatch.setattr(chain, "MAX_LINE", 64)
    made.files[made.journals[-1]] += b"x" * 64
    assert "too-long" in reasons(made)


def test_a_compressed_copy_that_holds_something_else_is_told():
    made = sample()
    (sources,) = evidence(made).sources.values()

    def noticed(copy):
        proof = walk("gw-1", [sources[0]._replace(copy=copy), *sources[1:]], made.keys).proof
        assert proof.findings == []
        return {each.reason for each in proof.notices}

    def broken():
        yield from ()
        raise Unreadable

    assert noticed(sources[0].lines) == {"torn"}
    assert noticed(lambda: iter([*sources[0].lines(), b"what nobody was told of"])) == {"torn"}
    assert noticed(sources[1].lines) == noticed(broken) == {"torn", "copy-differs"}


def written(*steps):
    made = Made()
    writer = Writer(made)
    made.keys.append(writer.vkey)
    writer.open()
    for step in steps:
        step(writer)
    return made


def test_records_behind_the_closing_one():
    made = written(lambda writer: writer.add("closed", reason="x"), lambda writer: writer.requests(3), Writer.sign)
    assert [reason for _, _, reason in findings(made)] == ["after-closed", "no-checkpoint"]


def test_a_second_head_in_one_file():
    made = written(lambda writer: writer.add("opened", file="x", follows=None, tree=[]))
    assert reasons(made) == {"second-opened"}


@pytest.mark.parametrize("tree", [None, [], ["00" * 32], ["00" * 32, "00" * 32], "x"])
def test_a_head_without_the_tree_before_it(tree):
    made = Made()
    writer = Writer(made)
    made.keys.append(writer.vkey)
    writer.open()
    writer.requests(2)
    before = writer.name
    writer.name = writer.name.replace("150405Z-0", "150408Z-3")
    made.files[writer.name] = b""
    writer.add("opened", file=writer.name, follows={"file": before, "hash": writer.prev}, tree=tree)
    assert reasons(made) == {"wrong-tree"}


def test_a_file_that_begins_with_another_record():
    made = sample()
    name = made.journals[1]
    made.files[name] = b"".join(made.files[name].splitlines(keepends=True)[1:])
    assert (name, 1, "not-opened") in findings(made)


def test_an_own_line_without_a_line_s_end_is_not_a_record():
    assert isinstance(evidence(sample()).sources["gw-1"][0], Source)
    made = sample()
    made.files[made.journals[0]] = made.files[made.journals[0]].replace(b"}\n{", b"}{", 1)
    assert "not-opened" in reasons(made)

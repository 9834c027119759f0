"""A folder as evidence: plain and compressed, read-only, with orphans, keys and anchors in files."""

import os

import pytest

from phigate.journal import folder
from phigate.journal.note import NoteFault
from phigate.journal.pack import pack
from tests.journal.proving import beside, sample

MADE = sample()
FIRST, MIDDLE, LAST = MADE.journals


@pytest.fixture
def journal(tmp_path):
    place = tmp_path / "journal"
    place.mkdir()
    for name, raw in MADE.files.items():
        (place / name).write_bytes(raw)
    (tmp_path / "anchor").write_bytes(MADE.anchor)
    return place


def prove(journal, **more):
    return folder.prove(journal, MADE.keys, [journal.parent / "anchor"], **more)


def reasons(journal):
    return {each.reason for proof in prove(journal) for each in proof.findings}


def test_plain_and_compressed_files_prove_the_same(journal):
    size = folder.size_of(journal)
    (plain,) = prove(journal)
    for name in (FIRST, MIDDLE):
        pack(journal / name)
    journal.chmod(0o500)
    told = []
    (packed,) = prove(journal, progress=told.append)
    assert plain == packed or (plain.records, plain.findings) == (packed.records, packed.findings)
    assert (packed.verdict, packed.signed.spans, packed.anchored.spans) == ("holds", [(0, 14)], [(0, 11)])
    assert folder.size_of(journal) == size == (3, sum(told))
    assert {path.name for path in journal.iterdir()} == {
        f"{FIRST}.zst",
        f"{MIDDLE}.zst",
        LAST,
        *map(beside, MADE.journals),
    }


def test_a_compressed_file_that_was_changed_or_replaced(journal):
    packed = pack(journal / FIRST)
    raw = packed.read_bytes()
    for place in range(0, len(raw), 7):
        packed.write_bytes(raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :])
        assert reasons(journal)
    packed.write_bytes(raw[:-1])
    assert "unreadable" in reasons(journal)
    packed.write_bytes(pack(journal / LAST).read_bytes())
    assert "renamed" in reasons(journal)
    packed.write_bytes(raw)
    assert "beyond-the-end" not in reasons(journal)


def test_where_both_forms_are_the_plain_one_counts(journal):
    first, last = (journal / FIRST).read_bytes(), (journal / LAST).read_bytes()
    packed = pack(journal / FIRST)
    (journal / FIRST).write_bytes(first)
    assert reasons(journal) == set()
    packed.write_bytes(pack(journal / LAST).read_bytes())
    (journal / LAST).write_bytes(last)
    (proof,) = prove(journal)
    assert (proof.verdict, [each.reason for each in proof.notices]) == ("holds", ["copy-differs", "torn"])


def test_checkpoints_without_their_file(journal):
    (journal / LAST).unlink()
    assert reasons(journal) == {"beyond-the-end", "beyond-the-end-anchored"}


@pytest.mark.parametrize("text", ["", "# nothing\n", "junk\n", "x" * 70_000])
def test_what_is_no_file_of_keys(tmp_path, text):
    path = tmp_path / "key"
    path.write_text(text)
    with pytest.raises(NoteFault):
        folder.keys_in(path)


def test_a_file_of_keys(tmp_path):
    path = tmp_path / "key"
    path.write_text(f"# ours\n{MADE.keys[0]}\n\n")
    assert folder.keys_in(path) == MADE.keys


def test_what_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError):
        folder.prove(tmp_path / "none", MADE.keys)
    with pytest.raises(FileNotFoundError):
        folder.prove(tmp_path, MADE.keys, [tmp_path / "none"])
    assert folder.prove(tmp_path, ()) == []


@pytest.mark.parametrize("end", [".jsonl", ".jsonl.zst", ".checkpoints"])
def test_a_pipe_among_the_files_is_not_waited_for(journal, end):
    """A journal may come from anybody, and a pipe that nobody writes to never ends."""
    path = journal / f"{LAST.removesuffix('.jsonl')}{end}"
    for each in (path, journal / LAST) if end == ".jsonl.zst" else (path,):
        each.unlink(missing_ok=True)
    os.mkfifo(path)
    if end == ".checkpoints":
        with pytest.raises(OSError, match="regular"):
            prove(journal)
    else:
        assert "unreadable" in reasons(journal)


def test_a_device_among_the_files_never_ends(journal):
    (journal / LAST).unlink()
    (journal / LAST).symlink_to("/dev/zero")
    assert "unreadable" in reasons(journal)


def test_checkpoints_larger_than_any_are_not_read(journal):
    with (journal / beside(LAST)).open("r+b") as file:
        file.truncate(10**12)
    with pytest.raises(OSError, match="larger"):
        prove(journal)

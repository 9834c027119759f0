"""Checkpoints beside files and kept elsewhere: which count, which are passed over, which are findings."""

import base64

import pytest

from phigate.journal import heads, note
from tests.journal.proving import KEY, OTHER, beside, sample

MADE = sample()
FILE = MADE.journals[0]
WHERE = beside(FILE)
ORIGIN = "phigate/gw-1"
THEIRS = note.vkey_of(ORIGIN, OTHER)
RAW = MADE.files[WHERE]


def read(raw, keys=tuple(MADE.keys), file=FILE):
    found = heads.beside(raw, WHERE, file, ORIGIN, keys)
    return [head.size for head in found.heads], [(each.line, each.reason) for each in found.findings], found


def test_checkpoints_that_hold_count():
    sizes, findings, found = read(RAW)
    assert (sizes, findings, found.unchecked) == ([3, 5], [], 0)
    assert (found.heads[1].line, found.heads[1].time) == (9, "2026-11-23T15:04:10.000000Z")


def test_without_a_key_they_are_counted_only():
    sizes, findings, found = read(RAW, keys=())
    assert (sizes, findings, found.unchecked) == ([], [], 2)


@pytest.mark.parametrize(
    ("raw", "keys", "reason"),
    [
        (RAW, [THEIRS], "unknown-key"),
        (RAW.replace(b"\n5\n", b"\n6\n"), MADE.keys, "false-signature"),
        (b"junk\n" + RAW, MADE.keys, "not-a-note"),
        (RAW + b"junk", MADE.keys, "not-a-note"),
        (RAW.replace(b"\xe2\x80\x94 phigate/gw-1 ", b"\xe2\x80\x94 phigate+gw-1 "), MADE.keys, "not-a-note"),
    ],
)
def test_what_is_found(raw, keys, reason):
    assert reason in {told for _, told in read(raw, tuple(keys))[1]}


def test_checkpoints_of_another_file_are_found():
    assert read(RAW, file="gw-1-20261123T150405Z-5.jsonl")[1] == [(1, "wrong-file"), (9, "wrong-file")]


def test_another_log_signed_with_the_same_key_is_not_ours():
    key = note.vkey_of(ORIGIN, KEY)
    text = note.Checkpoint("phigate/gw-9", 3, b"\0" * 32, (f"file {FILE}",)).text()
    assert read(note.sign(text, key, KEY))[1] == [(1, "unknown-key")]


@pytest.mark.parametrize("cut", range(1, 200, 3))
def test_what_a_crash_leaves_of_a_checkpoint_is_no_finding(cut):
    whole = RAW[: RAW.index(b"\nphigate", 10) + 1]
    sizes, findings, found = read(RAW + whole[: len(whole) - cut])
    assert (sizes, findings) == ([3, 5], [])
    assert [each.reason for each in found.notices] == ["torn-checkpoint"]


def test_an_anchor_may_keep_notes_of_many_and_lines_of_a_log():
    line = b"<14>1 2026 host phigate: size=3 note=" + base64.b64encode(RAW[: RAW.index(b"\nphigate", 10) + 1]) + b"\n"
    other = note.sign(note.Checkpoint("phigate/gw-9", 1, b"\0" * 32).text(), note.vkey_of("phigate/gw-9", KEY), KEY)
    found = heads.elsewhere(b"note=AAAA\n\n" + other + RAW + line + b"torn", "kept", {ORIGIN: MADE.keys})
    assert [(head.size, head.anchor) for head in found[ORIGIN].heads] == [(3, True), (5, True), (3, True)]
    assert found.keys() == {ORIGIN}
    assert found[ORIGIN].findings == []


def test_a_false_checkpoint_in_an_anchor_is_found():
    found = heads.elsewhere(RAW.replace(b"\n5\n", b"\n6\n"), "kept", {ORIGIN: MADE.keys})
    assert [each.reason for each in found[ORIGIN].findings] == ["false-signature"]


def test_reading_takes_time_in_proportion():
    found = heads.beside(b"origin\n1\nAA\n" + b"a\n" * 200_000, WHERE, FILE, ORIGIN, MADE.keys)
    assert [each.reason for each in found.findings] == ["not-a-note"]

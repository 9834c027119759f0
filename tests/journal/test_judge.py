"""Attacks on a journal of three files: each is found, and told by where it is; what cannot be found is named."""

import os
from functools import cache

import pytest

from phigate.journal import note
from phigate.journal.proof import FINDINGS, NOTICES
from phigate.journal.tree import Range
from tests.journal.proving import (
    KEY,
    OTHER,
    Made,
    Writer,
    beside,
    findings,
    notices,
    proofs,
    reasons,
    sample,
    verdict,
)

MADE = sample()
FIRST, MIDDLE, LAST = MADE.journals
TORN = 13
STEP = 1 if os.environ.get("PHIGATE_THOROUGH") else 5
"""Every so manieth place; all of them take a quarter of a minute."""


@pytest.fixture(autouse=True)
def _signatures_are_checked_once(monkeypatch):
    monkeypatch.setattr(note, "holds", cache(note.holds))


def lines_of(name):
    return MADE.files[name].splitlines(keepends=True)


def with_lines(name, lines):
    return MADE.but({name: b"".join(lines)})


def records_of(name):
    return [line for line in lines_of(name) if line.endswith(b"\n")]


EVERY_LINE = [(name, number) for name in MADE.journals for number in range(len(records_of(name)))]


def test_the_journal_as_it_was_written_holds():
    (proof,) = proofs(MADE)
    assert verdict(MADE) == "holds"
    assert proof.findings == []
    assert notices(MADE) == [(MIDDLE, 5, "torn")]
    assert (proof.records, proof.chained.spans, proof.signed.spans) == (14, [(0, 14)], [(0, 14)])
    assert (proof.anchored.spans, proof.checkpoints, proof.anchors) == ([(0, 11)], 5, 2)
    assert proof.claims == {"file": 11}


# -- single bytes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in MADE.files if name != "anchor"])
@pytest.mark.parametrize("bit", [1, 0x20] if STEP == 1 else [1])
def test_every_single_byte_that_is_changed_is_found(name, bit):
    raw = MADE.files[name]
    for place in range(0, len(raw) - (TORN if name == MIDDLE else 0), STEP):
        changed = bytearray(raw)
        changed[place] ^= bit
        assert verdict(MADE.but({name: bytes(changed)})) == "broken", place


def test_a_changed_body_is_told_by_the_line_behind_it():
    changed = with_lines(FIRST, [line.replace(b'"n":0', b'"n":7') for line in lines_of(FIRST)])
    assert (FIRST, 3, "wrong-prev") in findings(changed)
    (proof,) = proofs(changed)
    assert proof.chained.spans == [(0, 14)]
    assert proof.signed.spans == [(5, 14)]


def test_a_changed_last_line_is_told_by_the_next_file_and_by_the_checkpoint():
    changed = with_lines(FIRST, [line.replace(b"rotation", b"rotatioN") for line in lines_of(FIRST)])
    assert {(MIDDLE, 1, "wrong-start"), (beside(FIRST), 9, "wrong-root")} <= set(findings(changed))


# -- whole lines ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "number"), EVERY_LINE)
def test_a_removed_line_is_found(name, number):
    lines = lines_of(name)
    assert verdict(with_lines(name, lines[:number] + lines[number + 1 :])) == "broken"


@pytest.mark.parametrize(("name", "number"), EVERY_LINE)
def test_a_doubled_line_is_found(name, number):
    lines = lines_of(name)
    assert verdict(with_lines(name, lines[: number + 1] + lines[number:])) == "broken"


@pytest.mark.parametrize(("name", "number"), EVERY_LINE)
def test_a_line_in_another_place_is_found(name, number):
    lines = records_of(name)
    for other in range(len(lines)):
        if other != number:
            swapped = list(lines)
            swapped[number], swapped[other] = lines[other], lines[number]
            rest = lines_of(name)[len(lines) :]
            assert verdict(with_lines(name, swapped + rest)) == "broken"


@pytest.mark.parametrize(("name", "number"), EVERY_LINE)
def test_a_file_that_is_cut_is_found(name, number):
    """At every line, and within every line."""
    lines = lines_of(name)
    for more in (b"", lines[number][:20]):
        cut = with_lines(name, [*lines[:number], more])
        assert verdict(cut) == "broken"
        if name == LAST:  # and whoever cuts the checkpoints to it is found by what was kept elsewhere
            shorter = cut.but(without=[beside(LAST)])
            assert verdict(shorter) == ("broken" if number < 2 else "holds")


def test_all_that_was_cut_behind_the_last_anchor_is_the_exception_that_nothing_shows():
    lines = records_of(LAST)
    first = MADE.files[beside(LAST)].index(b"\n\n")
    until = MADE.files[beside(LAST)].index(b"\nphigate/", first) + 1
    cut = MADE.but({LAST: b"".join(lines[:2]), beside(LAST): MADE.files[beside(LAST)][:until]})
    assert verdict(cut) == "holds"
    (proof,) = proofs(cut)
    assert proof.anchored.spans == [(0, 11)]


# -- chains made anew -----------------------------------------------------------------------------------------------


def forged(key, start=0):
    """The whole journal written anew, with another body from record `start` on, signed with `key`."""
    made = Made(anchor=MADE.anchor, keys=MADE.keys)
    writer = Writer(made, key=key)

    def requests(count):
        for _ in range(count):
            changed = {"x": 1} if writer.seq >= start else {"n": writer.seq % 5 - 1 if writer.seq < 5 else 0}
            writer.add("request", exchange=f"{writer.seq:032x}", body=changed)

    writer.open()
    requests(2)
    writer.sign()
    writer.add("anchor", where="file", size=3, root=writer.tree.root().hex())
    writer.close()
    writer.open()
    requests(3)
    writer.sign()
    writer.spill(b'{"v":1,"seq":')
    writer.open(torn=TORN)
    requests(1)
    writer.sign()
    writer.add("anchor", where="file", size=11, root=writer.tree.root().hex())
    requests(1)
    writer.close()
    return made


@pytest.mark.parametrize("start", range(14))
def test_a_chain_made_anew_without_the_key_is_found(start):
    """All hashes and trees fit; the checkpoints are the old ones."""
    made = forged(KEY, start)
    old = made.but({name: raw for name, raw in MADE.files.items() if name.endswith(".checkpoints")})
    broken = verdict(old)
    assert broken == "broken"
    assert reasons(old) <= {"wrong-root", "wrong-root-anchored"}


@pytest.mark.parametrize("start", range(11))
def test_a_chain_made_anew_with_the_host_s_key_is_found_by_an_anchor_only(start):
    made = forged(KEY, start)
    assert reasons(made) == {"wrong-root-anchored"}
    assert verdict(made.but(anchor=b"")) == "holds"


def test_behind_the_last_anchor_whoever_has_the_host_s_key_can_write_anything():
    made = Made(anchor=MADE.anchor, keys=MADE.keys)
    _again(Writer(made))
    assert verdict(made) == "holds"
    assert made.files[LAST] != MADE.files[LAST]


def _again(writer):
    """The sample to its last anchor, then something else."""
    writer.open()
    writer.requests(2)
    writer.sign()
    writer.add("anchor", where="file", size=3, root=writer.tree.root().hex())
    writer.close()
    writer.open()
    writer.requests(3)
    writer.sign()
    writer.spill(b'{"v":1,"seq":')
    writer.open(torn=TORN)
    writer.requests(1)
    writer.sign()
    writer.add("anchor", where="file", size=11, root=writer.tree.root().hex())
    writer.add("request", exchange="another")
    writer.close()


def test_a_key_put_in_the_place_of_the_host_s_is_found_by_the_one_the_auditor_has():
    made = forged(OTHER)
    assert "unknown-key" in reasons(made)
    assert verdict(made.but(anchor=b"")) == "broken"
    theirs = note.vkey_of(note.origin_of("gw-1"), OTHER)
    assert verdict(made.but(anchor=b"", keys=[theirs])) == "holds"


def test_without_a_key_nothing_is_said_to_hold():
    assert verdict(MADE.but(keys=[])) == "untold"
    assert {reason for _, _, reason in notices(MADE.but(keys=[]))} == {"torn", "unchecked"}
    assert verdict(forged(OTHER).but(keys=[])) == "untold"


# -- whole files ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MADE.journals)
def test_a_removed_file_is_found_by_its_checkpoints_or_the_anchor(name):
    assert verdict(MADE.but(without=[name])) == "broken"
    without = MADE.but(without=[name, beside(name)])
    assert verdict(without) == "broken"
    assert reasons(without) & {"missing", "beyond-the-end-anchored"}


def test_a_removed_last_file_without_an_anchor_is_found_once_the_gateway_starts_again():
    assert verdict(MADE.but(without=[LAST, beside(LAST)], anchor=b"")) == "holds"
    on = Writer(Made(keys=MADE.keys))
    _again(on)
    on.open()
    on.requests(1)
    on.close()
    assert reasons(on.made.but(without=[LAST, beside(LAST)])) == {"missing"}


@pytest.mark.parametrize("name", MADE.journals)
def test_removed_checkpoints_are_found(name):
    changed = MADE.but(without=[beside(name)])
    if name == MIDDLE:  # nobody can know that one was written in the three seconds before a crash
        assert verdict(changed) == "holds"
        (proof,) = proofs(changed)
        assert proof.signed.spans == [(0, 14)]
    else:
        assert findings(changed) == [(name, None, "no-checkpoint")]


def test_removed_checkpoints_of_a_file_that_a_crash_ended_are_found_when_it_is_older_than_a_minute():
    made = Made()
    writer = Writer(made)
    made.keys.append(writer.vkey)
    writer.open()
    writer.requests(50)
    writer.sign()
    writer.requests(50)
    assert findings(made) == []
    assert findings(made.but(without=[beside(writer.name)])) == [(writer.name, None, "no-checkpoint")]
    writer.requests(61)
    assert findings(made) == [(writer.name, None, "no-checkpoint")]


def test_exchanged_checkpoints_are_found():
    changed = MADE.but({beside(FIRST): MADE.files[beside(LAST)], beside(LAST): MADE.files[beside(FIRST)]})
    assert "wrong-file" in reasons(changed)


def test_a_renamed_file_is_found():
    other = FIRST.replace("T15", "T14")
    changed = MADE.but({other: MADE.files[FIRST], beside(other): MADE.files[beside(FIRST)]}, [FIRST, beside(FIRST)])
    assert (other, 1, "renamed") in findings(changed)


def test_two_exchanged_files_are_found():
    changed = MADE.but({FIRST: MADE.files[LAST], LAST: MADE.files[FIRST]})
    assert {(FIRST, 1, "renamed"), (LAST, 1, "renamed")} <= set(findings(changed))


def test_a_renamed_instance_is_found():
    files = {name.replace("gw-1", "gw-2"): raw for name, raw in MADE.files.items()}
    changed = Made(files, b"", MADE.keys)
    assert {"wrong-instance", "renamed", "no-records"} <= reasons(changed)


def test_records_of_another_instance_do_not_pass():
    other = Writer(Made(), instance="gw-2")
    _again(other)
    mixed = MADE.but({name.replace("gw-2", "gw-1"): raw for name, raw in other.made.files.items()})
    assert "wrong-instance" in reasons(mixed)


# -- what is as it should be, and yet to be known -------------------------------------------------------------------


def spilled(lines, **follows):
    """A file behind whose last acknowledged record stand lines that were not."""
    made = Made()
    writer = Writer(made)
    made.keys.append(writer.vkey)
    writer.open()
    writer.requests(2)
    writer.spill(lines)
    writer.open(**follows)
    writer.requests(1)
    writer.close()
    return made


def test_lines_that_nobody_was_told_of_are_no_tampering():
    made = spilled(b"one\ntwo\nthr", spare={"lines": 2, "bytes": 8}, torn=3)
    assert verdict(made) == "holds"
    assert [reason for _, _, reason in notices(made)] == ["unacknowledged", "torn"]


@pytest.mark.parametrize(
    ("lines", "follows"),
    [
        (b"one\ntwo!\n", {"spare": {"lines": 2, "bytes": 8}}),
        (b"one\ntwo\nthr", {"spare": {"lines": 2, "bytes": 8}}),
        (b"one\ntwo\n", {"spare": {"lines": 2, "bytes": "8"}}),
        (b"thr", {}),
        (b"thr", {"torn": 2}),
    ],
)
def test_more_than_the_next_file_speaks_of_is(lines, follows):
    assert "wrong-rest" in reasons(spilled(lines, **follows))


@pytest.mark.parametrize("lines", [b"", b"one\n", b"one\ntw", b"one\ntwo\nth"])
def test_what_was_never_synced_may_be_gone_after_a_power_failure(lines):
    assert verdict(spilled(lines, spare={"lines": 2, "bytes": 8}, torn=3)) == "holds"


def test_a_file_that_holds_nothing_anybody_was_told_of_is_passed_over():
    made = Made()
    writer = Writer(made)
    made.keys.append(writer.vkey)
    writer.open()
    writer.requests(2)
    empty = writer.name.replace("T150405Z-0", "T150406Z-3")
    made.files[empty] = b"what a failing disk kept\n"
    assert verdict(made) == "broken"
    made.files[empty] = b"what a failing disk kept"
    assert notices(made) == [(empty, 1, "torn")]
    made.files[empty] += b"\n"
    writer.open()
    writer.add("recovered", fault="x", files=[{"file": empty, "torn": 0, "unacknowledged": True}])
    writer.close()
    assert verdict(made) == "holds"
    assert (empty, None, "unacknowledged") in notices(made)


# -- gaps -----------------------------------------------------------------------------------------------------------


def pruning(by="gw-1", *, sign=True, without=(FIRST,), **other):
    """The sample, whose first file was deleted, as a record of a later file or of another instance says."""
    made = Made()
    again = Writer(made)
    _again(again)
    writer = again if by == "gw-1" else Writer(made, instance=by)
    made.keys += dict.fromkeys([again.vkey, writer.vkey])
    tree = Writer(Made())
    tree.open()
    tree.requests(2)
    tree.sign()
    tree.add("anchor", where="file", size=3, root=tree.tree.root().hex())
    tree.close()
    about = {
        "file": FIRST, "records": 5, "since": 0, "first": 0, "last": 4,
        "digest": tree.prev, "root": tree.tree.root().hex(), "sha256": "",
    }  # fmt: skip
    writer.open()
    writer.add("prune", **about | other)
    if sign:
        writer.close()
    return made.but(without=[each for name in without for each in (name, beside(name))])


@pytest.mark.parametrize("by", ["gw-1", "clerk.cli"])
def test_a_deletion_that_is_on_record_is_a_gap_that_is_proven(by):
    made = pruning(by)
    assert findings(made) == []
    assert verdict(made) == "holds"
    assert (MIDDLE, 1, "pruned") in notices(made)


def test_a_deletion_that_only_unsigned_records_account_for_is_not_proven():
    made = pruning("clerk.cli", sign=False)
    assert verdict(made) == "untold"
    assert (MIDDLE, 1, "pruned-unsigned") in notices(made)


@pytest.mark.parametrize(
    "other", [{"digest": "0" * 64}, {"root": "0" * 64}, {"since": 1}, {"last": 3}, {"file": "gw-2" + FIRST[4:]}]
)
def test_a_record_that_tells_of_something_else_does_not_account_for_it(other):
    made = pruning(**other)
    assert reasons(made) <= {"missing", "wrong-prune"}
    assert verdict(made) == "broken"


def test_more_than_was_deleted_is_missing():
    assert "missing" in reasons(pruning("clerk.cli", without=(FIRST, MIDDLE)))


def test_a_file_that_an_operator_took_out_is_a_gap_of_its_own_kind():
    made = Made()
    writer = Writer(made)
    _again(writer)
    made.keys.append(writer.vkey)
    writer.open()
    writer.add("recovered", quarantined={"file": MIDDLE, "sha256": None, "bytes": 7, "reason": "damaged"})
    writer.close()
    gone = made.but(without=[MIDDLE, beside(MIDDLE)])
    assert verdict(gone) == "holds"
    assert (LAST, 1, "quarantined") in notices(gone)
    assert verdict(made.but(without=[FIRST, beside(FIRST)])) == "broken"


def _taken_out(**more):
    """A journal whose second file was taken out, with two behind it before that was put on record."""
    made = Made()
    writer = Writer(made)
    _again(writer)
    made.keys.append(writer.vkey)
    writer.open()
    writer.add("look")
    writer.close()
    writer.open()
    told = {"file": MIDDLE, "sha256": None, "bytes": 7, "reason": "damaged"}
    writer.add("recovered", quarantined=told | more)
    writer.close()
    return made.but(without=[MIDDLE, beside(MIDDLE)])


def test_a_file_that_was_taken_out_accounts_for_no_other_one():
    made = _taken_out(until=int(LAST.removesuffix(".jsonl").rpartition("-")[2]))
    assert verdict(made) == "holds"
    assert "missing" in reasons(made.but(without=[LAST, beside(LAST)]))


def test_a_newest_file_that_was_taken_out_ends_before_the_file_that_says_so():
    made = Made()
    writer = Writer(made)
    _again(writer)
    made.keys.append(writer.vkey)
    writer.open()
    writer.add("recovered", quarantined={"file": LAST, "sha256": None, "bytes": 7, "reason": "x", "until": None})
    writer.close()
    assert verdict(made.but(without=[LAST, beside(LAST)])) == "holds"
    assert "missing" in reasons(_taken_out(until=None).but(without=[LAST, beside(LAST)]))


# -- every word -----------------------------------------------------------------------------------------------------


def test_every_reason_has_its_sentence():
    told = {reason for name in MADE.journals for reason in reasons(MADE.but(without=[name]))}
    assert told <= FINDINGS.keys()
    assert {reason for _, _, reason in notices(MADE)} <= NOTICES.keys()


# -- forged accounts of what is not here ----------------------------------------------------------------------------


def behind_the_end(*names):
    """The sample and a file that somebody added, which says that these and itself hold nothing that counts."""
    made = MADE.but()
    writer = Writer(made)
    writer.seq, writer.name = 9, "gw-1-20261123T150500Z-9.jsonl"
    made.files[writer.name] = b""
    writer.add("opened", file=writer.name, follows=None, tree=[])
    files = [{"file": name, "torn": 0, "unacknowledged": True} for name in (writer.name, *names)]
    writer.add("recovered", fault="x", files=files)
    writer.add("request", exchange="rq-1", subject={"id": "somebody-else"})
    return made


@pytest.mark.parametrize("names", [(), (LAST,), (FIRST, MIDDLE, LAST)])
def test_no_file_says_of_itself_or_of_what_was_signed_that_it_does_not_count(names):
    assert verdict(behind_the_end(*names)) == "broken"
    assert verdict(behind_the_end(*names).but(anchor=b"")) == "broken"


def five(*quarantined, seen=True):
    """Five closed files; the last one tells of those that an operator took out, and where the next one began."""
    made = Made()
    writer = Writer(made)
    made.keys.append(writer.vkey)
    for _ in range(4):
        writer.open()
        writer.requests(2)
        writer.close()
    names = made.journals
    writer.open()
    for number in quarantined:
        more = {"until": 4 * number + 4} if seen else {}
        writer.add("recovered", quarantined={"file": names[number], "sha256": None, "bytes": 1, "reason": "x"} | more)
    writer.close()
    return made, names


def without(made, names):
    return made.but(without=[each for name in names for each in (name, beside(name))])


@pytest.mark.parametrize("seen", [True, False])
def test_a_file_that_was_taken_out_accounts_for_no_other(seen):
    made, names = five(1, seen=seen)
    assert verdict(without(made, [names[1]])) == "holds"
    assert reasons(without(made, names[1:3])) == {"missing"}
    assert reasons(without(made, names[1:])) == {"missing"}
    assert reasons(without(made, names[:2])) == {"missing"}
    made, names = five(1, 2, seen=seen)
    assert verdict(without(made, names[1:3])) == "holds"


def test_a_file_between_two_that_were_taken_out_is_missed():
    made, names = five(1, 3)
    assert verdict(without(made, [names[1], names[3]])) == "holds"
    assert reasons(without(made, names[1:])) == {"missing"}


@pytest.mark.parametrize("about", [{"file": "x", "last": 4}, {"quarantined": {"file": "x"}}])
def test_a_record_with_a_number_nobody_can_read_accounts_for_nothing(about):
    made = MADE.but(without=[FIRST, beside(FIRST)])
    writer = Writer(made, instance="clerk.cli")
    writer.open()
    name = f"gw-1-20261123T150405Z-{'9' * 5000}.jsonl"
    told = about | {"file": name} if "file" in about else {"quarantined": {"file": name}}
    writer.add("prune", since=0, digest="", root="", **told)
    assert reasons(made) <= {"missing", "wrong-prune"}
    assert verdict(made) == "broken"


def test_a_deletion_behind_which_a_journal_begins_anew_holds_against_no_anchor():
    """Whoever holds the host's key can write a deletion of all that was anchored; then nothing is said to be proven."""
    made = Made(anchor=MADE.anchor)
    clerk, writer = Writer(made, instance="clerk.cli"), Writer(made)
    made.keys += [clerk.vkey, writer.vkey]
    writer.seq, writer.prev = 14, "11" * 32
    writer.tree = Range([bytes([number]) * 32 for number in range(3)], 14)
    root = writer.tree.root().hex()
    writer.open()
    writer.requests(2)
    writer.close()
    clerk.open()
    clerk.add("prune", file=LAST, since=0, last=13, digest="11" * 32, root=root)
    clerk.close()
    assert verdict(made.but(anchor=b"")) == "holds"
    assert verdict(made) == "untold"
    assert ("phigate/gw-1", None, "unanchored") in notices(made)


def test_an_anchor_of_somebody_else_is_none():
    other = Writer(Made(), instance="gw-2")
    other.open()
    other.sign(anchor=True)
    assert verdict(MADE.but(anchor=other.made.anchor)) == "untold"


def test_many_gaps_are_walked_in_good_time():
    made = Made()
    writer = Writer(made)
    writer.open()
    for _ in range(3000):
        writer.seq += 1
        writer.add("request")
    (proof,) = proofs(made)
    assert (len(proof.chained.spans), len(proof.findings) + proof.more) == (3001, 3000)

"""What an auditor is told: the words, and the same as JSON."""

import pytest

from phigate.audit.proof import verdicts
from phigate.journal.proof import FINDINGS, NOTICES, Finding, Proof
from tests.journal.proving import proofs, sample


def lines(made, *, anchored=True):
    return list(verdicts.told(proofs(made), anchored=anchored))


def test_a_journal_that_holds_is_told_in_these_words():
    assert lines(sample()) == [
        "gw-1: 3 files, 14 records",
        "  chain        records 0 to 13 follow from one another",
        (
            "  checkpoints  records 0 to 13 are those that were signed: 5 checkpoints under key bcc14ded, "
            "the last of 2026-11-23T15:04:19.000000Z"
        ),
        (
            "  anchors      records 0 to 10 are those of checkpoints that were kept elsewhere, "
            "the last of 2026-11-23T15:04:16.000000Z"
        ),
        "               the journal says that records up to 10 were anchored at file",
        (
            "  note         gw-1-20261123T150410Z-5.jsonl:5: torn: an unfinished last line, as a crash or a running "
            "gateway leaves it; nobody was told it was recorded"
        ),
        "",
        *verdicts.LIMITS,
        "",
        verdicts.VERDICTS["holds"],
    ]


def test_what_is_not_proven_is_said_each_time():
    for made in (sample(), sample().but(keys=[]), sample().but(without=[sample().journals[0]])):
        assert set(verdicts.LIMITS) <= set(lines(made))
        assert verdicts.as_json(proofs(made))["limits"] == list(verdicts.LIMITS)


@pytest.mark.parametrize(
    ("made", "anchored", "row"),
    [
        (sample().but(keys=[]), True, "  checkpoints  no key was given (--key)"),
        (sample().but(anchor=b""), False, "  anchors      none was given (--anchor)"),
        (sample().but(anchor=b""), True, "  anchors      what was given holds none of these records"),
    ],
)
def test_what_was_not_given_is_said(made, anchored, row):
    assert row in lines(made, anchored=anchored)


def test_findings_are_told_by_file_line_and_records():
    made = sample()
    first, middle, _ = made.journals
    told = lines(made.but(without=[first]))
    sentence = FINDINGS["missing"]
    assert f"  FOUND        {middle}:1: missing: {sentence} (records 0 to 4)" in told
    assert told[-1] == verdicts.VERDICTS["broken"]


def test_records_that_nothing_signed_and_findings_that_were_only_counted():
    proof = Proof("gw-1", key="k", files=1, records=1, more=2, findings=[Finding("f", None, "renamed")])
    proof.chained.add(4, 5)
    told = list(verdicts.told([proof], anchored=False))
    assert "gw-1: 1 file, 1 record" in told
    assert "  checkpoints  none holds under key k" in told
    assert "  chain only   records 4: signed by nothing (yet)" in told
    assert "  FOUND        and 2 more" in told


def test_records_of_commands_need_no_key():
    told = list(verdicts.told([Proof("host.cli")], anchored=False))
    assert "  checkpoints  none is asked for: whoever writes this folder can write records of commands anew" in told


def test_an_empty_folder():
    assert list(verdicts.told([], anchored=False))[-1] == "There is no journal here."
    assert verdicts.as_json([])["verdict"] == "untold"


def test_the_same_for_programs():
    made = sample()
    (one,) = verdicts.as_json(proofs(made.but(without=[made.journals[0]])))["instances"]
    assert one["verdict"] == "broken"
    assert one["chained"] == [[5, 13]]
    assert one["findings"][0]["reason"] in FINDINGS
    assert one["findings"][0]["told"] == FINDINGS[one["findings"][0]["reason"]]
    assert all(each["told"] == NOTICES[each["reason"]] for each in one["notices"])


def test_of_many_stretches_some_are_named():
    proof = Proof("gw-1", key="k")
    for number in range(0, 2000, 2):
        proof.chained.add(number, number + 1)
    told = "\n".join(verdicts.told([proof], anchored=False))
    assert "and 980 stretches more" in told
    assert len(told) < 3000

from phigate.audit.report.integrity import MOST, integrity
from phigate.audit.report.parts import Proven
from phigate.journal.proof import Finding, Proof


def test_what_holds_is_told_by_record_numbers():
    proof = Proof("gw-1", records=9, key="k", signed_at="2026-11-23T15:04:05Z")
    proof.chained.add(0, 9)
    proof.signed.add(0, 4)
    proof.signed.add(6, 7)
    found = integrity([proof])
    assert (found.checked, found.verdict, found.faults, found.fault_count) == (True, "holds", [], 0)
    assert found.proven == [Proven("gw-1", 9, "0 to 8", "0 to 3, 6", "2026-11-23T15:04:05Z", "none")]


def test_commands_are_not_signed():
    (row,) = integrity([Proof("host.cli", records=1)]).proven
    assert row.signed == "(commands are not signed)"


def test_a_fault_says_where_and_what():
    proof = Proof("gw-1", key="k")
    proof.find(Finding("gw-1-x.jsonl", 4, "wrong-prev"))
    proof.find(Finding("gw-1-x.checkpoints", None, "beyond-the-end", (7, 9)))
    proof.more = 3
    found = integrity([proof])
    assert (found.verdict, found.fault_count) == ("broken", 5)
    assert found.faults == [
        ("gw-1", "gw-1-x.jsonl:4", "the chain is broken: this line or the one before it was changed"),
        ("gw-1", "gw-1-x.checkpoints", "more records were signed than there are (records 7 to 9)"),
    ]


def test_very_many_faults_are_counted():
    proof = Proof("gw-1", key="k")
    for line in range(MOST + 20):
        proof.find(Finding("f", line, "not-a-record"))
    found = integrity([proof])
    assert (len(found.faults), found.fault_count) == (MOST, MOST + 20)


def test_what_is_as_it_should_be_is_no_fault():
    proof = Proof("gw-1", key="k", notices=[Finding("f", 3, "torn")])
    found = integrity([proof])
    assert (found.verdict, found.faults) == ("holds", [])
    assert found.notices[0][:2] == ("gw-1", "f:3")

"""Why nothing comes of an answer."""

from phigate.approval.refusals import No


def test_it_carries_its_reason_and_nothing_else():
    assert (No("unknown").reason, str(No("unknown"))) == ("unknown", "unknown")

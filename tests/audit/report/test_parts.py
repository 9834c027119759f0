from phigate.audit.report.parts import Integrity, Listing


def test_a_listing_says_how_much_of_it_is_not_there():
    assert Listing([1, 2], 5).more == 3
    assert Listing().more == 0


def test_what_nobody_checked_is_not_intact():
    assert not Integrity().checked
    assert Integrity().verdict == "untold"

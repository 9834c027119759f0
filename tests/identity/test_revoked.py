"""Whose bearers are out, and whose are not."""

import pytest

from phigate.exchange import Subject
from phigate.identity.revoked import Revoked
from phigate.ledger import Revocation

IDP, GATEWAY = "https://idp.example", "https://console.example"


def ada(**changes):
    fields = {"jti": "one", "issued": 100.0, "signed_by": IDP} | changes
    return Subject(IDP, "ada", (), frozenset(), 1000.0, **fields)


def taken_back(*, issuer=IDP, subject=None, jti=None, cut=100.0, expires=1000.0):
    return Revocation(issuer=issuer, subject=subject, jti=jti, cut=cut, expires=expires, by="eve", reason="lost")


CASES = [
    ("a bearer by its id", taken_back(jti="one"), ada(), True),
    ("another bearer of the same person", taken_back(jti="two"), ada(), False),
    ("the same id of another issuer", taken_back(jti="one", issuer=GATEWAY), ada(), False),
    ("a bearer of the gateway's own by its id", taken_back(jti="one", issuer=GATEWAY), ada(signed_by=GATEWAY), True),
    ("what was exchanged for it", taken_back(jti="old"), ada(signed_by=GATEWAY, family=((IDP, "old"),)), True),
    ("what was exchanged for another", taken_back(jti="old"), ada(family=((IDP, "new"),)), False),
    ("a bearer without an id", taken_back(jti="one"), ada(jti=None), False),
    ("a person", taken_back(subject="ada"), ada(), True),
    ("a person's bearer issued that very second", taken_back(subject="ada", cut=100.0), ada(issued=100.0), True),
    ("a person who signed in again", taken_back(subject="ada", cut=100.0), ada(issued=100.5), False),
    ("what the gateway issued to a person", taken_back(subject="ada"), ada(signed_by=GATEWAY), True),
    ("another person", taken_back(subject="bob"), ada(), False),
    ("the same name at another issuer", taken_back(subject="ada", issuer="https://other.example"), ada(), False),
]


@pytest.mark.parametrize(("sentence", "entry", "subject", "out"), CASES, ids=[case[0] for case in CASES])
def test_who_is_out(sentence, entry, subject, out):
    revoked = Revoked()
    assert not revoked.covers(subject)
    revoked.add([entry])
    assert revoked.covers(subject) is out


@pytest.mark.parametrize("cuts", [(100.0, 200.0), (200.0, 100.0)])
def test_the_latest_cut_counts(cuts):
    revoked = Revoked()
    revoked.add(taken_back(subject="ada", cut=cut) for cut in cuts)
    assert revoked.covers(ada(issued=150.0))


def test_entries_go_with_the_bearers_they_are_about():
    revoked = Revoked()
    revoked.add([taken_back(subject="ada", expires=500.0), taken_back(jti="one", expires=400.0)])
    revoked.forget(450.0)
    assert len(revoked) == 1
    revoked.forget(500.0)
    assert len(revoked) == 0

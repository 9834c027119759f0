"""Whoever may change one model reaches no other one through it."""

import pytest

from phigate.access.beside import beside_fault
from phigate.policy.decide import Deny, Hold, Permit
from phigate.policy.masks import Mask, Transform
from phigate.policy.schema import REVEAL, Target, Unknown
from phigate.policy.targets import Ambiguous

SERVER = "http://10.0.4.10:11434"
DECISIONS = {
    "mine": Permit("r", ("r",), Mask("redact", {"OTHER": Transform("redact")})),
    "free": Permit("s", ("s",), Mask("redact", {"OTHER": Transform("redact")})),
    "held": Hold("h", ("h",), "Ask.", lacking=("h",)),
    "held-too": Hold("h", ("h",), "Ask.", lacking=("h",)),
    "held-otherwise": Hold("i", ("i",), "Ask.", lacking=("i",)),
    "held-twice": Hold("h", ("h", "i"), "Ask.", lacking=("h", "i")),
    "held-for-a-time": Hold("h", ("h",), "Ask.", lacking=("h",), bound=False),
    "urgent": Permit("sos", ("sos",), REVEAL, verb="break_glass"),
    "urgent-otherwise": Permit("aid", ("aid",), REVEAL, verb="break_glass"),
    "denied": Deny("d", ("d",), "denied", "Not this one."),
    "unspoken": Deny(None, (), "no-rule", "No rule."),
}


def at(name, url=SERVER):
    return Target(name, url)


CASES = [
    ("none", "mine", [], None),
    ("one that is permitted", "mine", [at("free")], None),
    ("several", "mine", [at("free"), at("denied")], (403, "denied")),
    ("one that a rule denies", "mine", [at("denied")], (403, "denied")),
    ("one that no rule speaks of", "held", [at("unspoken")], (403, "no-rule")),
    ("one that is held", "mine", [at("held")], (403, "models-differ")),
    ("one that is held by the same rule", "held", [at("held-too")], None),
    ("one that is held by another rule", "held", [at("held-otherwise")], (403, "models-differ")),
    ("one that is permitted while the first is held", "held", [at("free")], None),
    ("one that a further rule holds", "held", [at("held-twice")], (403, "models-differ")),
    ("one that fewer rules hold", "held-twice", [at("held")], None),
    ("one that is held, by a yes for a time", "held-for-a-time", [at("held-for-a-time")], (403, "models-differ")),
    ("one that only an emergency opens", "mine", [at("urgent")], (403, "models-differ")),
    ("one that only an emergency opens, while the first is held", "held", [at("urgent")], (403, "models-differ")),
    ("one of the same emergency", "urgent", [at("urgent")], None),
    ("one of an emergency that others review", "urgent", [at("urgent-otherwise")], (403, "models-differ")),
    ("one that is held, in an emergency", "urgent", [at("held")], (403, "models-differ")),
    ("one of another server", "mine", [at("free", "http://10.0.4.11:11434")], (404, "model-unknown")),
    ("one that nobody knows", "mine", [Unknown()], (404, "model-unknown")),
    ("one that may be two", "mine", [Ambiguous(("a", "b"))], (404, "model-unknown")),
]


@pytest.mark.parametrize(("sentence", "name", "others", "expected"), CASES, ids=[case[0] for case in CASES])
def test_each_model_is_asked_for_by_itself(sentence, name, others, expected):
    refused = beside_fault(at(name), others, DECISIONS.__getitem__)
    assert (refused and (refused.status, refused.reason)) == expected

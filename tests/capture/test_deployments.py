"""The records of deployments that were stated at the console, field by field."""

from phigate.capture.deployments import deployment_record, outcome_record
from phigate.exchange import Exchange, Subject
from phigate.policy.decide import Deny

RUN = (("commit", "9fceb02d"), ("pipeline", "7"))
PIPELINE = Subject("https://ci.example", "repo:triage", ("triage",), frozenset({"deployer"}), 0.0, context=RUN)
WHO = {"issuer": "https://ci.example", "id": "repo:triage", "roles": ["deployer"], "groups": ["triage"]}
STATED = Exchange(
    "d-1",
    0.0,
    client_ip="10.0.0.1",
    actions=frozenset({"manage-models"}),
    target="llama3",
    subject=PIPELINE,
    deployment=("2.1.0", "9f"),
    decision=Deny("frozen", ("frozen",), "denied", "No."),
)


def test_a_statement_says_who_deploys_what_and_what_was_decided():
    assert deployment_record(STATED, "00") == {
        "subject": WHO | {"context": {"commit": "9fceb02d", "pipeline": "7"}},
        "client": {"ip": "10.0.0.1"},
        "action": ["manage-models"],
        "model": "llama3",
        "purpose": None,
        "stated": [],
        "decision": {
            "verb": "deny",
            "rule": "frozen",
            "rules": ["frozen"],
            "reason": "denied",
            "ticket": None,
            "grant": None,
        },
        "policy": "00",
        "deployment": {"id": "d-1", "version": "2.1.0", "digest": "9f"},
    }


def test_an_outcome_says_how_it_ended():
    good, bad = outcome_record(STATED, 0), outcome_record(STATED, 3)
    assert (good["deployment"]["id"], good["outcome"], good["code"]) == ("d-1", "succeeded", 0)
    assert (bad["outcome"], bad["code"], bad["deployment"]["version"]) == ("failed", 3, "2.1.0")

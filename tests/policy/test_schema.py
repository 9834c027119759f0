from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from phigate.policy.load import load_policy, parse_policy
from phigate.policy.schema import KEYS, SECTIONS, Policy
from tests import policies
from tests.policies import SHIPPED, policy

GIVEN = {
    "version": 1,
    "issuers": [
        {
            "issuer": "https://idp.example",
            "audience": ["a", "b"],
            "algorithms": ["ES256"],
            "keys": "file:certs/keys.json",
            "groups_from": "realm_access.roles",
            "max_age": "PT1H",
            "context_from": {"commit": "sha", "run-id": "run.id"},
        }
    ],
    "saml": [{"entity_id": "x", "certificates": ["certs/x.pem"], "audience": "a", "groups_from": "urn:oid:1.2"}],
    "roles": {"clinician": ["ward", "er"], "officer": ["privacy", "er"]},
    "models": {"ward-assistant": {"url": "http://10.0.4.10:11434", "names": ["llama3*"], "credential": "env:WARD_KEY"}},
    "rules": [
        {
            "name": "deploy",
            "hold": ["officer"],
            "to": ["manage-models"],
            "models": ["*"],
            "approvers": ["officer"],
            "approvals": 2,
            "grant": {"for": "PT30M", "uses": 1, "bind": "request"},
            "wait": "PT2M",
        },
        {"name": "plain", "hold": ["officer"], "to": ["review"], "models": ["*"], "approvers": ["clinician"]},
    ],
    "masks": {"lean": {"PERSON": "surrogate", "OTHER": "redact"}},
    "roster": "roster.csv",
    "routes": [{"name": "triage", "match": "POST /predict", "action": "predict", "text": ["$.outputs[*].note"]}],
    "capture": {"bodies": "sealed", "seal_to": "file:certs/auditor.pub", "retain": "P1Y"},
}


def test_the_whole_language_is_read() -> None:
    made = Policy.model_validate(GIVEN)
    issuer, deploy = made.issuers[0], made.rules[0]
    assert (issuer.audience, issuer.max_age, issuer.leeway) == (("a", "b"), timedelta(hours=1), timedelta(seconds=60))
    assert issuer.context_from == {"commit": "sha", "run-id": "run.id"}
    assert (deploy.verb, deploy.roles, deploy.grant.for_) == ("hold", ("officer",), timedelta(minutes=30))
    assert deploy.wait == timedelta(minutes=2)
    assert made.masks["lean"].name == "lean"
    assert made.capture.mask.of("PERSON").name == "redact"
    assert made.capture.retain == timedelta(days=366)


def test_a_yes_is_good_for_this_very_request_unless_the_rule_says_more() -> None:
    grant = Policy.model_validate(GIVEN).rules[1].grant
    assert (grant.uses, grant.bind, grant.for_) == (1, "request", None)


def test_roles_come_from_groups() -> None:
    made = Policy.model_validate(GIVEN)
    assert made.roles_of(["ward"]) == {"clinician"}
    assert made.roles_of(["er", "unheard-of"]) == {"clinician", "officer"}
    assert made.roles_of([]) == frozenset()
    assert made.roles_of(["clinician", "Ward"]) == frozenset()


def test_a_policy_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        policy().version = 2


def test_the_same_file_is_the_same_policy() -> None:
    assert load_policy(SHIPPED) == load_policy(SHIPPED)
    assert hash(load_policy(SHIPPED)) == hash(load_policy(SHIPPED))


def test_faults_of_values_and_of_cross_references_come_together() -> None:
    broken = GIVEN | {"version": 3, "roles": {"clinician": ["ward"]}, "extra": 1}
    with pytest.raises(ValidationError) as refused:
        Policy.model_validate(broken)
    said = {(".".join(map(str, error["loc"])), error["msg"]) for error in refused.value.errors()}
    assert said == {
        ("version", "must be `1`, not `3`"),
        ("extra", "unknown key `extra`"),
        ("rules.0.hold.0", "unknown role `officer`"),
        ("rules.0.approvers.0", "unknown role `officer`"),
        ("rules.1.hold.0", "unknown role `officer`"),
    }


def test_an_exception_never_carries_the_values() -> None:
    with pytest.raises(ValidationError) as refused:
        Policy.model_validate({"issuers": [{"keys": "https://me:hunter2@idp.example"}]})
    assert "hunter2" not in str(refused.value)


def test_every_key_has_a_meaning() -> None:
    silent = [
        f"{section.__name__}.{name}"
        for section in SECTIONS
        for name, field in section.model_fields.items()
        if not field.description
    ]
    assert silent == []
    assert {"for", "break_glass", "prompt_matches"} <= KEYS


def test_two_policies_are_one_where_they_are_the_same_text_in_the_same_folder() -> None:
    text = policies.text().encode()
    one, again = (parse_policy(text, "p.yaml", Path("a")) for _ in range(2))
    assert one == again
    assert hash(one) == hash(again)
    assert one != parse_policy(text, "p.yaml", Path("b"))
    assert one != parse_policy(text + b"# more\n", "p.yaml", Path("a"))
    assert one != "a policy"

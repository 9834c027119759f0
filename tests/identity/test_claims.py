from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from phigate.identity.claims import Case, at_path, believe, groups_of, rule_of
from phigate.identity.outcome import Believed, Reason, Refused
from tests.identity.forge import ISSUER, NOW, Rule, claims

PATHS: list[tuple[str, dict[str, Any], str, Any]] = [
    ("a plain name", {"groups": ["a"]}, "groups", ["a"]),
    ("inside an object (Keycloak)", {"realm_access": {"roles": ["a"]}}, "realm_access.roles", ["a"]),
    ("an url (Auth0)", {"https://hospital.example/groups": ["a"]}, "https://hospital.example/groups", ["a"]),
    ("a colon (Cognito)", {"cognito:groups": ["a"]}, "cognito:groups", ["a"]),
    ("dots in a middle name", {"resource_access": {"my.app": {"roles": ["a"]}}}, "resource_access.my.app.roles", ["a"]),
    ("the exact name first", {"a.b": ["exact"], "a": {"b": ["inside"]}}, "a.b", ["exact"]),
    ("an exact name of nothing", {"a.b": None, "a": {"b": ["inside"]}}, "a.b", None),
    ("nothing there", {"groups": ["a"]}, "roles", None),
    ("nothing inside", {"realm_access": {}}, "realm_access.roles", None),
    ("not an object on the way", {"realm_access": ["roles"]}, "realm_access.roles", None),
    ("a path of dots", {"a": 1}, "...", None),
]


@pytest.mark.parametrize(("said", "path", "found"), [pytest.param(*row, id=name) for name, *row in PATHS])
def test_a_claim_path_finds_its_value(said: dict[str, Any], path: str, found: Any) -> None:
    assert at_path(said, path) == found


def case(rule: Rule | None = None, typ: str | None = "at+jwt", **changes: Any) -> Case:
    return Case(claims(**changes), typ, rule or Rule(), NOW)


GROUPS: list[tuple[str, str | None, dict[str, Any], tuple[str, ...] | Reason]] = [
    ("as listed", "groups", {"groups": ["b", "a"]}, ("b", "a")),
    ("each once", "groups", {"groups": ["a", "b", "a"]}, ("a", "b")),
    ("with a slash (Keycloak)", "groups", {"groups": ["/ward-staff"]}, ("/ward-staff",)),
    ("with spaces", "groups", {"groups": ["Ward Staff"]}, ("Ward Staff",)),
    ("none", "groups", {"groups": []}, ()),
    ("claim absent", "groups", {"groups": None}, ()),
    ("no path in the policy", None, {"groups": ["a"]}, ()),
    ("a string", "groups", {"groups": "a"}, "groups-invalid"),
    ("a string of several", "groups", {"groups": "a b"}, "groups-invalid"),
    ("a group of 256 letters", "groups", {"groups": ["x" * 256]}, "groups-invalid"),
    ("a group with a NUL", "groups", {"groups": ["a\0"]}, "groups-invalid"),
    ("too many", "groups", {"groups": [str(n) for n in range(1001)]}, "groups-too-many"),
    ("left out", "groups", {"groups": None, "_claim_names": {"groups": "src1"}}, "groups-overage"),
    ("left out, odd", "groups", {"groups": None, "_claim_names": "groups"}, "groups-overage"),
    ("left out along the path", "a.b", {"_claim_names": {"a": "src1"}}, "groups-overage"),
    ("hasgroups", "groups", {"groups": None, "hasgroups": "true"}, "groups-overage"),
    ("another claim left out", "roles", {"roles": ["a"], "_claim_names": {"groups": "src1"}}, ("a",)),
    ("hasgroups, but roles are read", "roles", {"roles": ["a"], "groups": None, "hasgroups": True}, ("a",)),
]


@pytest.mark.parametrize(("path", "said", "expected"), [pytest.param(*row, id=name) for name, *row in GROUPS])
def test_groups_are_a_list_of_names(path: str | None, said: dict[str, Any], expected: tuple[str, ...] | Reason) -> None:
    found = groups_of(case(Rule(groups_from=path), **said))
    assert found == (expected if isinstance(expected, tuple) else Refused(expected))


def test_an_issuer_is_found_by_its_exact_name() -> None:
    rules = (Rule(), Rule(issuer="https://other.example"))
    assert rule_of({"iss": ISSUER}, rules) is rules[0]
    assert rule_of({"iss": ISSUER + "#"}, rules) == Refused("issuer-unknown")


LEEWAY = Rule(leeway=timedelta(seconds=60))
HOUR = Rule(max_age=timedelta(hours=1))

EDGES: list[tuple[str, Rule, dict[str, Any], Reason | None]] = [
    ("a second left", Rule(), {"exp": NOW + 1}, None),
    ("ends now", Rule(), {"exp": NOW}, "expired"),
    ("ended a leeway ago", LEEWAY, {"exp": NOW - 60}, "expired"),
    ("ended just within the leeway", LEEWAY, {"exp": NOW - 59.5}, None),
    ("starts now", Rule(), {"nbf": NOW}, None),
    ("starts just past the leeway", LEEWAY, {"nbf": NOW + 60.5}, "not-yet-valid"),
    ("issued now", Rule(), {"iat": NOW}, None),
    ("issued just past the leeway", LEEWAY, {"iat": NOW + 60.5}, "iat-future"),
    ("an hour old", HOUR, {"iat": NOW - 3600}, "too-old"),
    ("not quite an hour old", HOUR, {"iat": NOW - 3599}, None),
    ("a day to go", Rule(), {"exp": NOW + 86_400}, None),
    ("a day and a second to go", Rule(), {"exp": NOW + 86_401}, "lifetime-too-long"),
    ("one of two audiences", Rule(audience=("a", "b")), {"aud": "b"}, None),
    ("none of two audiences", Rule(audience=("a", "b")), {"aud": ["c", "ab"]}, "aud-mismatch"),
    ("no audience in the rule", Rule(audience=()), {}, "aud-mismatch"),
]


@pytest.mark.parametrize(("rule", "said", "reason"), [pytest.param(*row, id=name) for name, *row in EDGES])
def test_the_table_holds_at_its_edges(rule: Rule, said: dict[str, Any], reason: Reason | None) -> None:
    outcome = believe(case(rule, **said))
    assert isinstance(outcome, Believed) if reason is None else outcome == Refused(reason)


def test_max_age_ends_a_bearer_before_its_own_end() -> None:
    outcome = believe(case(HOUR, iat=NOW - 3000, exp=NOW + 5000))
    assert isinstance(outcome, Believed)
    assert outcome.expires == NOW + 600


@pytest.mark.parametrize("claim", ["sub", "aud", "exp", "iat"])
def test_nothing_is_optional_because_the_issuer_forgot_it(claim: str) -> None:
    outcome = believe(case(**{claim: None}))
    assert outcome == Refused(f"{claim}-missing")  # type: ignore[arg-type]  # four reasons of that form


def test_a_nonce_is_no_offence_in_a_bearer_that_is_plainly_for_access() -> None:
    assert isinstance(believe(case(typ="at+jwt", nonce="n")), Believed)
    assert isinstance(believe(case(typ="jwt", nonce="n", scp="chat")), Believed)
    assert believe(case(typ="jwt", nonce="n")) == Refused("id-token")

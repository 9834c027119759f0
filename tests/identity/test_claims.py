from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from phigate.identity.claims import Case, at_path, believe, context_of, from_introspection, groups_of, rule_of
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


GROUPS: list[tuple[str, str, dict[str, Any], tuple[str, ...] | Reason]] = [
    ("as listed", "groups", {"groups": ["b", "a"]}, ("b", "a")),
    ("each once", "groups", {"groups": ["a", "b", "a"]}, ("a", "b")),
    ("with a slash (Keycloak)", "groups", {"groups": ["/ward-staff"]}, ("/ward-staff",)),
    ("with spaces", "groups", {"groups": ["Ward Staff"]}, ("Ward Staff",)),
    ("none", "groups", {"groups": []}, ()),
    ("claim absent", "groups", {"groups": None}, ()),
    ("null", "groups", {"groups": None, "a": {"groups": None}}, ()),
    ("a string", "groups", {"groups": "a"}, "groups-invalid"),
    ("a string of several", "groups", {"groups": "a b"}, "groups-invalid"),
    ("a group of 256 letters", "groups", {"groups": ["x" * 256]}, "groups-invalid"),
    ("a group with a NUL", "groups", {"groups": ["a\0"]}, "groups-invalid"),
    ("too many", "groups", {"groups": [str(n) for n in range(1001)]}, "groups-too-many"),
    ("left out", "groups", {"groups": None, "_claim_names": {"groups": "src1"}}, "groups-overage"),
    ("left out, odd", "groups", {"groups": None, "_claim_names": "groups"}, "groups-overage"),
    ("left out along the path", "a.b", {"_claim_names": {"a": "src1"}}, "groups-overage"),
    ("left out further along the path", "a.b.c", {"_claim_names": {"a.b": "src1"}}, "groups-overage"),
    ("a claim of a similar name left out", "groups", {"_claim_names": {"group": "src1"}}, ("ward-staff",)),
    ("a group of letters that nobody sees", "groups", {"groups": ["a\u3164"]}, "groups-invalid"),
    ("hasgroups", "groups", {"groups": None, "hasgroups": "true"}, "groups-overage"),
    ("another claim left out", "roles", {"roles": ["a"], "_claim_names": {"groups": "src1"}}, ("a",)),
    ("hasgroups, but roles are read", "roles", {"roles": ["a"], "groups": None, "hasgroups": True}, ("a",)),
]


@pytest.mark.parametrize(("path", "said", "expected"), [pytest.param(*row, id=name) for name, *row in GROUPS])
def test_groups_are_a_list_of_names(path: str, said: dict[str, Any], expected: tuple[str, ...] | Reason) -> None:
    found = groups_of(case(Rule(groups_from=(path,)), **said))
    assert found == (expected if isinstance(expected, tuple) else Refused(expected))


FORMS: list[tuple[str, str, Any, tuple[str, ...] | Reason]] = [
    ("a list where a list is meant", "list", ["a", "b"], ("a", "b")),
    ("a text where a list is meant", "list", "a", "groups-invalid"),
    ("one text (AD FS)", "text", "Ward Staff", ("Ward Staff",)),
    ("a list where a text may be", "text", ["a", "b"], ("a", "b")),
    ("an empty text", "text", "", "groups-invalid"),
    ("a number where a text may be", "text", 7, "groups-invalid"),
    ("an object where a text may be", "text", {"a": True}, "groups-invalid"),
    ("words", "words", "a b", ("a", "b")),
    ("words, one twice", "words", "a b a", ("a", "b")),
    ("words far apart", "words", " a  b ", ("a", "b")),
    ("no words", "words", "", ()),
    ("words with a tab", "words", "a\tb", "groups-invalid"),
    ("words with a blank that is none", "words", "a\u00a0b", "groups-invalid"),
    ("a list where words are meant", "words", ["a", "b"], "groups-invalid"),
    ("1,001 words", "words", "a " * 1001, "groups-too-many"),
    ("a form nobody knows", "csv", "a,b", "groups-invalid"),
    ("true", "text", True, "groups-invalid"),
]


@pytest.mark.parametrize(("form", "value", "expected"), [pytest.param(*row, id=name) for name, *row in FORMS])
def test_groups_have_the_form_the_policy_says(form: str, value: Any, expected: tuple[str, ...] | Reason) -> None:
    found = groups_of(case(Rule(groups_as=form), groups=value))
    assert found == (expected if isinstance(expected, tuple) else Refused(expected))


CONTEXTS: list[tuple[str, dict[str, Any], tuple[tuple[str, str], ...] | Reason]] = [
    ("a text", {"sha": "9fceb02d"}, (("commit", "9fceb02d"),)),
    ("in the order of their names", {"run": {"id": "7"}, "sha": "9f"}, (("commit", "9f"), ("pipeline", "7"))),
    ("a number", {"run": {"id": 8222997048}}, (("pipeline", "8222997048"),)),
    ("a truth value", {"sha": True}, (("commit", "true"),)),
    ("nothing of it", {}, ()),
    ("null", {"sha": None}, ()),
    ("an empty text", {"sha": ""}, "context-invalid"),
    ("a list", {"sha": ["9f"]}, "context-invalid"),
    ("an object", {"run": {"id": {"a": 1}}}, "context-invalid"),
    ("half a number", {"sha": 1.5}, "context-invalid"),
    ("a number without end", {"sha": 10**40}, "context-invalid"),
    ("a line's end", {"sha": "9f\n"}, "context-invalid"),
    ("256 letters", {"sha": "x" * 256}, "context-invalid"),
]


@pytest.mark.parametrize(("said", "expected"), [pytest.param(*row, id=name) for name, *row in CONTEXTS])
def test_the_occasion_is_what_the_policy_names(said: dict[str, Any], expected: object) -> None:
    rule = Rule(context_from={"pipeline": "run.id", "commit": "sha"})
    found = context_of(case(rule, **said))
    assert found == (expected if isinstance(expected, tuple) else Refused("context-invalid"))
    believed = believe(case(rule, **said))
    assert believed == found if isinstance(found, Refused) else getattr(believed, "context", None) == found


BOTH = Rule(groups_from=("realm_access.roles", "groups"))

JOINED: list[tuple[str, dict[str, Any], tuple[str, ...] | Reason]] = [
    (
        "in the order of the policy, each once",
        {"groups": ["c", "a"], "realm_access": {"roles": ["a", "b"]}},
        tuple("abc"),
    ),
    ("one of them absent", {"groups": ["a"]}, ("a",)),
    ("both absent", {"groups": None}, ()),
    ("one of them wrong", {"groups": ["a"], "realm_access": {"roles": "b"}}, "groups-invalid"),
    ("one of them left out", {"groups": None, "realm_access": {"roles": ["a"]}, "hasgroups": True}, "groups-overage"),
    (
        "too many together",
        {"groups": [f"a{n}" for n in range(600)], "realm_access": {"roles": [f"b{n}" for n in range(600)]}},
        "groups-too-many",
    ),
]


@pytest.mark.parametrize(("said", "expected"), [pytest.param(*row, id=name) for name, *row in JOINED])
def test_groups_of_several_claims_are_joined(said: dict[str, Any], expected: tuple[str, ...] | Reason) -> None:
    found = groups_of(case(BOTH, **said))
    assert found == (expected if isinstance(expected, tuple) else Refused(expected))


def test_without_a_claim_that_holds_them_there_are_no_groups() -> None:
    assert groups_of(case(Rule(groups_from=()))) == ()


CLIENT = Rule(audience=("phigate", "phigate-batch"), audience_from="client_id")

STAND_INS: list[tuple[str, dict[str, Any], Reason | None]] = [
    ("one of the two (Cognito)", {"aud": None, "client_id": "phigate-batch"}, None),
    ("another's", {"aud": None, "client_id": "billing"}, "aud-mismatch"),
    ("absent, though aud is ours", {}, "aud-missing"),
    ("both absent", {"aud": None}, "aud-missing"),
    ("a list", {"aud": None, "client_id": ["phigate"]}, "aud-invalid"),
    ("a number", {"aud": None, "client_id": 7}, "aud-invalid"),
    ("empty", {"aud": None, "client_id": ""}, "aud-mismatch"),
    ("ours, and aud too", {"client_id": "phigate"}, None),
    ("ours, but aud another's", {"client_id": "phigate", "aud": "billing"}, "aud-mismatch"),
    ("ours, but aud of no form", {"client_id": "phigate", "aud": 7}, "aud-invalid"),
]


@pytest.mark.parametrize(("said", "reason"), [pytest.param(*row, id=name) for name, *row in STAND_INS])
def test_a_claim_may_stand_in_for_aud_and_never_overrule_it(said: dict[str, Any], reason: Reason | None) -> None:
    outcome = believe(case(CLIENT, **said))
    assert isinstance(outcome, Believed) if reason is None else outcome == Refused(reason)


REQUIRED: list[tuple[str, str, tuple[str, ...], dict[str, Any], bool]] = [
    ("a text", "tid", ("t-1",), {"tid": "t-1"}, True),
    ("one of two", "tid", ("t-1", "t-2"), {"tid": "t-2"}, True),
    ("another text", "tid", ("t-1",), {"tid": "t-3"}, False),
    ("other case", "tid", ("t-1",), {"tid": "T-1"}, False),
    ("a part of it", "tid", ("t-1",), {"tid": "t-1 t-2"}, False),
    ("absent", "tid", ("t-1",), {}, False),
    ("empty", "tid", ("t-1",), {"tid": ""}, False),
    ("a list holding it", "amr", ("mfa",), {"amr": ["pwd", "mfa"]}, True),
    ("a list without it", "amr", ("mfa",), {"amr": ["pwd"]}, False),
    ("a list of not only texts", "amr", ("mfa",), {"amr": ["mfa", 7]}, False),
    ("an empty list", "amr", ("mfa",), {"amr": []}, False),
    ("a list in a list", "amr", ("mfa",), {"amr": [["mfa"]]}, False),
    ("an object", "amr", ("mfa",), {"amr": {"mfa": True}}, False),
    ("true", "email_verified", ("true",), {"email_verified": True}, True),
    ("false", "email_verified", ("true",), {"email_verified": False}, False),
    ("true as a text (GitLab)", "ref_protected", ("true",), {"ref_protected": "true"}, True),
    ("one is not true", "email_verified", ("true",), {"email_verified": 1}, False),
    ("true is not one", "level", ("1",), {"level": True}, False),
    ("a whole number", "level", ("42",), {"level": 42}, True),
    ("another number", "level", ("42",), {"level": 43}, False),
    ("a number with a fraction", "level", ("42",), {"level": 42.0}, False),
    ("inside an object (Kubernetes)", "kubernetes.io.namespace", ("ai",), {"kubernetes.io": {"namespace": "ai"}}, True),
    ("an url", "https://h.example/site", ("north",), {"https://h.example/site": "north"}, True),
]


@pytest.mark.parametrize(("path", "wanted", "said", "met"), [pytest.param(*row, id=name) for name, *row in REQUIRED])
def test_a_required_claim_is_one_of_its_texts(
    path: str, wanted: tuple[str, ...], said: dict[str, Any], met: bool
) -> None:
    outcome = believe(case(Rule(required_claims={path: wanted}), **said))
    assert isinstance(outcome, Believed) if met else outcome == Refused("claim-mismatch")


def test_every_required_claim_counts() -> None:
    rule = Rule(required_claims={"tid": ("t-1",), "amr": ("mfa",)})
    assert isinstance(believe(case(rule, tid="t-1", amr=["mfa"])), Believed)
    assert believe(case(rule, tid="t-1")) == Refused("claim-mismatch")


def test_a_binding_is_handed_on_to_whoever_asks_for_the_proof() -> None:
    cnf = {"jkt": "A" * 43, "x5t#S256": "B" * 42 + "A"}
    outcome = believe(case(cnf=cnf))
    assert isinstance(outcome, Believed)
    assert outcome.bound == cnf
    assert believe(case()).bound == {}


def test_the_claims_are_handed_on_and_not_shown() -> None:
    outcome = believe(case(tid="t-1"))
    assert isinstance(outcome, Believed)
    assert outcome.claims == claims(tid="t-1")
    assert "t-1" not in repr(outcome)


ANSWERED: list[tuple[str, dict[str, Any], Reason | None]] = [
    ("active, of this issuer", {}, None),
    ("no iss", {"iss": None}, None),
    ("iss null", {"iss": "NULL"}, "issuer-missing"),
    ("another's iss", {"iss": "https://other.example"}, "issuer-unknown"),
    ("not active", {"active": False}, "inactive"),
    ("active absent", {"active": None}, "inactive"),
    ("active as a text", {"active": "true"}, "inactive"),
    ("active as a number", {"active": 1}, "inactive"),
    ("of type Bearer", {"token_type": "Bearer"}, None),
    ("a refresh token (Hydra)", {"token_use": "refresh_token"}, "not-for-access"),
    ("an access token (Hydra)", {"token_use": "access_token", "token_type": "Bearer"}, None),
    ("a refresh token by its type", {"token_type": "refresh_token"}, "not-for-access"),
    ("of type DPoP and bound", {"token_type": "DPoP", "cnf": {"jkt": "A" * 43}}, None),
    ("of type DPoP and not bound", {"token_type": "DPoP"}, "cnf-invalid"),
    ("no aud (refresh tokens have none)", {"aud": None}, "aud-missing"),
    ("another's aud", {"aud": "billing"}, "aud-mismatch"),
    ("no end", {"exp": None}, "exp-missing"),
    ("over", {"exp": NOW}, "expired"),
    ("no sub", {"sub": None}, "sub-missing"),
    ("groups of a wrong form", {"groups": "ward-staff"}, "groups-invalid"),
]


@pytest.mark.parametrize(("changes", "reason"), [pytest.param(*row, id=name) for name, *row in ANSWERED])
def test_an_answer_about_a_bearer_is_held_against_the_same_table(
    changes: dict[str, Any], reason: Reason | None
) -> None:
    answer = claims(**{"active": True} | changes)
    if answer.get("iss") == "NULL":
        answer["iss"] = None
    outcome = from_introspection(answer, Rule(), NOW)
    assert isinstance(outcome, Believed) if reason is None else outcome == Refused(reason)


def test_what_an_answer_does_not_say_is_the_issuer_that_was_asked() -> None:
    outcome = from_introspection(claims(iss=None, active=True), Rule(), NOW)
    assert isinstance(outcome, Believed)
    assert (outcome.issuer, outcome.id, outcome.groups) == (ISSUER, "dr.okafor", ("ward-staff",))


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
    ("ended just within the leeway", LEEWAY, {"iat": NOW - 600, "exp": NOW - 59.5}, None),
    ("starts now", Rule(), {"nbf": NOW}, None),
    ("starts just past the leeway", LEEWAY, {"nbf": NOW + 60.5}, "not-yet-valid"),
    ("issued now", Rule(), {"iat": NOW}, None),
    ("issued just past the leeway", LEEWAY, {"iat": NOW + 60.5}, "iat-future"),
    ("an hour old", HOUR, {"iat": NOW - 3600}, "too-old"),
    ("not quite an hour old", HOUR, {"iat": NOW - 3599}, None),
    ("a day to go", Rule(), {"iat": NOW, "exp": NOW + 86_400}, None),
    ("a life of a day, a second over", Rule(), {"iat": NOW - 86_400, "exp": NOW + 1}, "lifetime-too-long"),
    ("a life of ten years, a minute before its end", HOUR, {"iat": NOW - 3.2e8, "exp": NOW + 60}, "lifetime-too-long"),
    ("ended before it was issued", LEEWAY, {"iat": NOW, "exp": NOW - 10}, "exp-invalid"),
    ("ended when it was issued", LEEWAY, {"iat": NOW - 10, "exp": NOW - 10}, "exp-invalid"),
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

"""Access tokens in their providers' shapes, under the very policy entries of docs/identity.md; values invented."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from phigate.identity.bearer import check
from phigate.identity.outcome import Believed, Reason, Refused
from phigate.policy.load import parse_policy
from tests.identity.forge import NOW, mint, published

PAGE = (Path(__file__).parents[2] / "docs" / "identity.md").read_text(encoding="utf-8")
REST = """
version: 1
masks: {all: {OTHER: redact}}
rules:
  - {name: any, permit: ["*"], to: [chat], models: ["*"], mask: all}
"""
SECTIONS = {
    part.partition("\n")[0]: part.partition("```yaml\n")[2].partition("```")[0] for part in PAGE.split("\n### ")[1:]
}
"""The policy entry of each section of the page, by its heading."""

IAT, EXP = int(NOW) - 60, int(NOW) + 3540
TENANT = "3f0c2a6e-1111-4222-8333-944455566677"
SERVICE = "triage@hospital-ai.iam.gserviceaccount.com"
PERSON = "7c9e6679-7425-40de-944b-e07fc1f90ae7"


@dataclass(frozen=True)
class Shape:
    provider: str
    sentence: str
    header: dict[str, Any]
    claims: dict[str, Any]
    roles: set[str]
    groups: tuple[str, ...] = field(default=())


JWT = {"alg": "RS256", "typ": "JWT", "kid": "rsa"}
BARE = {"alg": "RS256", "kid": "rsa"}

KEYCLOAK = {
    "exp": EXP,
    "iat": IAT,
    "auth_time": IAT - 1000,
    "jti": "onrtac:d58f5dc8-fd8f-462b-8a19-716f8f83985b",
    "iss": "https://idp.hospital.example/realms/clinical",
    "aud": ["phigate", "account"],
    "sub": PERSON,
    "typ": "Bearer",
    "azp": "ward-app",
    "sid": "2a88c258-f73a-4103-b862-e1fbd8f4e04e",
    "acr": "1",
    "allowed-origins": ["https://ward.hospital.example"],
    "realm_access": {"roles": ["offline_access", "uma_authorization", "clinician"]},
    "resource_access": {"account": {"roles": ["manage-account", "view-profile"]}},
    "scope": "openid email profile",
    "email_verified": True,
    "groups": ["/ward-staff"],
    "preferred_username": "a.okafor",
}
ENTRA_2 = {
    "aud": "8d7e9a10-aaaa-4bbb-8ccc-1234567890ab",
    "iss": f"https://login.microsoftonline.com/{TENANT}/v2.0",
    "iat": IAT,
    "nbf": IAT,
    "exp": EXP,
    "aio": "AWQAm/8bAAAA",
    "azp": "6e74172b-be56-4843-9ff4-e66a39bb12e3",
    "azpacr": "1",
    "groups": ["5b1f0c9e-2222-4333-8444-0aa0bb0cc0dd"],
    "name": "Adaeze Okafor",
    "oid": PERSON,
    "preferred_username": "a.okafor@hospital.example",
    "rh": "0.AXEAbg",
    "roles": ["Clinician"],
    "scp": "access_as_user",
    "sub": "AAAAAAAAAAAAAAAAAAAAAIkzqFVrSaSaFHy782bbtaQ",
    "tid": TENANT,
    "uti": "fqiBqXLPj0eQa82S-IYFAA",
    "ver": "2.0",
}
ENTRA_1 = {
    "aud": "api://phigate",
    "iss": f"https://sts.windows.net/{TENANT}/",
    "iat": IAT,
    "nbf": IAT,
    "exp": EXP,
    "acr": "1",
    "aio": "AXQAi/8TAAAA",
    "amr": ["pwd", "mfa"],
    "appid": "6e74172b-be56-4843-9ff4-e66a39bb12e3",
    "appidacr": "1",
    "ipaddr": "198.51.100.7",
    "name": "Adaeze Okafor",
    "oid": PERSON,
    "rh": "0.AXEAbg",
    "roles": ["Clinician"],
    "scp": "user_impersonation",
    "sub": "gVsEhdSDpFQMTdtF5oUHvSXfFyCWVWVNmMzVCWw",
    "tid": TENANT,
    "unique_name": "a.okafor@hospital.example",
    "uti": "fqiBqXLPj0eQa82S-IYFAA",
    "ver": "1.0",
}
OKTA = {
    "ver": 1,
    "jti": "AT.0mP4JKAZX1iACIT4vbEDF7LpvDVjxypPMf0D7uX39RE",
    "iss": "https://hospital.okta.example/oauth2/aus1phigate",
    "aud": "api://phigate",
    "iat": IAT,
    "exp": EXP,
    "cid": "0oa1wardapp",
    "uid": "00uid4BxXw6I6TV4m0g3",
    "scp": ["openid", "profile"],
    "auth_time": IAT - 100,
    "sub": "a.okafor@hospital.example",
    "groups": ["Everyone", "Ward Staff"],
}
AUTH0 = {
    "https://hospital.example/groups": ["ward-staff"],
    "iss": "https://hospital.eu.auth0.example/",
    "sub": "auth0|5f7c8ec7c33c6c004bbafe82",
    "aud": ["https://phigate.hospital.example", "https://hospital.eu.auth0.example/userinfo"],
    "iat": IAT,
    "exp": IAT + 86_400,
    "azp": "my_client_id",
    "scope": "openid profile research:chat",
    "permissions": ["research:chat"],
}
COGNITO = {
    "sub": PERSON,
    "device_key": "eu-central-1_1a2b3c",
    "cognito:groups": ["ward-staff"],
    "iss": "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_Hosp1tal9",
    "client_id": "4phigateclient1example",
    "origin_jti": "7bce08c1-1f08-4b2f-8f5c-111122223333",
    "event_id": "64f513be-32db-42b0-b78e-b02127b4f463",
    "token_use": "access",
    "scope": "phigate/chat openid",
    "auth_time": IAT,
    "exp": EXP,
    "iat": IAT,
    "version": 2,
    "jti": "8f4f1a3c-0000-4111-8222-933344455566",
    "username": "a.okafor",
}
ADFS = {
    "aud": "microsoft:identityserver:phigate",
    "iss": "https://fs.hospital.example/adfs/services/trust",
    "iat": IAT,
    "nbf": IAT,
    "exp": EXP,
    "role": ["Ward Staff", "Domain Users"],
    "apptype": "Confidential",
    "appid": "60b3d106-d155-4f9f-ba75-84b8078829fa",
    "authmethod": "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport",
    "auth_time": "2027-01-15T07:59:00.000Z",
    "ver": "1.0",
    "scp": "openid",
    "sub": "xBZpMT9zNKNyMjFsj4CF80crrwS/ATrfkgm4n4iYDFw=",
}
GOOGLE = {
    "aud": "https://phigate.hospital.example",
    "azp": "112010400000000710080",
    "email": SERVICE,
    "email_verified": True,
    "exp": EXP,
    "iat": IAT,
    "iss": "https://accounts.google.com",
    "sub": "112010400000000710080",
}
GITHUB = {
    "jti": "a1b2c3d4-0000-4111-8222-933344455566",
    "sub": "repo:hospital-ai/triage:environment:production",
    "environment": "production",
    "aud": "https://phigate.hospital.example",
    "ref": "refs/heads/main",
    "sha": "0a1b2c3d4e5f60718293a4b5c6d7e8f901234567",
    "repository": "hospital-ai/triage",
    "repository_owner": "hospital-ai",
    "repository_owner_id": "65123",
    "run_id": "1234567890",
    "run_number": "10",
    "run_attempt": "2",
    "repository_visibility": "private",
    "repository_id": "74123",
    "actor_id": "12",
    "actor": "a-developer",
    "workflow": "nightly",
    "head_ref": "",
    "base_ref": "",
    "event_name": "schedule",
    "ref_protected": "true",
    "ref_type": "branch",
    "job_workflow_ref": "hospital-ai/workflows/.github/workflows/nightly.yml@refs/heads/main",
    "iss": "https://token.actions.githubusercontent.com",
    "nbf": IAT - 600,
    "exp": IAT + 900,
    "iat": IAT,
}
GITLAB = {
    "namespace_id": "72",
    "namespace_path": "hospital-ai",
    "project_id": "20",
    "project_path": "hospital-ai/triage",
    "user_id": "1",
    "user_login": "a-developer",
    "user_email": "a.developer@hospital.example",
    "user_access_level": "developer",
    "pipeline_id": "574",
    "pipeline_source": "schedule",
    "job_id": "302",
    "ref": "main",
    "ref_type": "branch",
    "ref_path": "refs/heads/main",
    "ref_protected": "true",
    "groups_direct": ["hospital-ai"],
    "runner_id": 1,
    "runner_environment": "self-hosted",
    "sha": "714a629c0b401fdce83e847fc9589983fc6f46bc",
    "ci_config_ref_uri": "gitlab.hospital.example/hospital-ai/triage//.gitlab-ci.yml@refs/heads/main",
    "jti": "235b3a54-b797-45c7-ae9a-f72d7bc6ef5b",
    "iss": "https://gitlab.hospital.example",
    "iat": IAT,
    "nbf": IAT - 5,
    "exp": EXP,
    "sub": "project_path:hospital-ai/triage:ref_type:branch:ref:main",
    "aud": "https://phigate.hospital.example",
}
KUBERNETES = {
    "aud": ["phigate"],
    "exp": IAT + 3607,
    "iat": IAT,
    "iss": "https://kubernetes.default.svc.cluster.local",
    "jti": "e51f1fbc-4733-4b85-a59f-ba80c0523874",
    "kubernetes.io": {
        "namespace": "triage",
        "node": {"name": "node-1", "uid": "517eb86e-b863-451b-bf70-86cb61439a3a"},
        "pod": {"name": "summariser-0", "uid": "0d8b260e-ef0e-45fb-be8e-ff44f97722e8"},
        "serviceaccount": {"name": "summariser", "uid": "e6a8680e-d103-4cce-80ea-03acbbeacf7d"},
        "warnafter": IAT + 3000,
    },
    "nbf": IAT,
    "sub": "system:serviceaccount:triage:summariser",
}
SPIFFE = {
    "aud": ["phigate"],
    "exp": IAT + 300,
    "iat": IAT,
    "iss": "https://oidc.spire.hospital.example",
    "sub": "spiffe://hospital.example/ns/triage/sa/summariser",
}

KC, E2, E1 = "Keycloak", "Microsoft Entra ID, version 2 tokens", "Microsoft Entra ID, version 1 tokens"
K8S, SVID = "Kubernetes service accounts", "SPIFFE (JWT-SVID)"
CLINICIAN, BATCH = {"clinician"}, {"batch"}

SHAPES = [
    Shape(
        KC, "a person", JWT, KEYCLOAK, CLINICIAN, ("offline_access", "uma_authorization", "clinician", "/ward-staff")
    ),
    Shape(KC, "a person of groups alone", JWT, KEYCLOAK | {"realm_access": {}}, CLINICIAN, ("/ward-staff",)),
    Shape(KC, "a client with DPoP", JWT, KEYCLOAK | {"typ": "DPoP", "cnf": {"jkt": "A" * 43}}, CLINICIAN),
    Shape(KC, "an older version, with nonce", JWT, KEYCLOAK | {"nonce": "n-0S6_WzA2Mj"}, CLINICIAN),
    Shape(KC, "a person with no role here", JWT, KEYCLOAK | {"realm_access": {}, "groups": ["/kitchen"]}, set()),
    Shape(E2, "a person", JWT, ENTRA_2, CLINICIAN, ("Clinician", "5b1f0c9e-2222-4333-8444-0aa0bb0cc0dd")),
    Shape(E2, "an application by itself", JWT, ENTRA_2 | {"azpacr": "2", "idtyp": "app", "sub": PERSON}, CLINICIAN),
    Shape(E1, "a person", JWT | {"x5t": "-KI3Q9nNR7bRofxmeZoXqbHZGew"}, ENTRA_1, CLINICIAN, ("Clinician",)),
    Shape("Okta", "a person", BARE, OKTA, CLINICIAN, ("Everyone", "Ward Staff")),
    Shape("Auth0", "a person", JWT, AUTH0, {"clinician", "researcher"}, ("ward-staff", "research:chat")),
    Shape(
        "Auth0",
        "the RFC 9068 profile",
        JWT | {"typ": "at+jwt"},
        AUTH0 | {"client_id": "c", "jti": "j"},
        {"clinician", "researcher"},
    ),
    Shape("Amazon Cognito", "a person", BARE, COGNITO, CLINICIAN, ("ward-staff",)),
    Shape(
        "AD FS",
        "a person of several groups",
        JWT | {"x5t": "l_OZUmitFFug"},
        ADFS,
        CLINICIAN,
        ("Ward Staff", "Domain Users"),
    ),
    Shape("AD FS", "a person of one group", JWT, ADFS | {"role": "Ward Staff"}, CLINICIAN, ("Ward Staff",)),
    Shape("Google", "a service account", JWT, GOOGLE, BATCH, (SERVICE,)),
    Shape(
        "GitHub Actions", "a job", JWT | {"x5t": "eBZ_cn3sXYAd0ch4THBKHIgOwOE"}, GITHUB, BATCH, ("hospital-ai/triage",)
    ),
    Shape("GitLab CI", "a job", JWT, GITLAB, BATCH, ("hospital-ai/triage",)),
    Shape(K8S, "a pod", BARE, KUBERNETES, BATCH, ("system:serviceaccount:triage:summariser",)),
    Shape(SVID, "a workload of SPIRE", {"alg": "ES256", "kid": "ES256", "typ": "JWT"}, SPIFFE, BATCH),
]

OVERAGE = {"_claim_names": {"groups": "src1"}, "_claim_sources": {"src1": {"endpoint": "https://graph.windows.net/x"}}}

NEAR: list[tuple[str, str, dict[str, Any], dict[str, Any], Reason]] = [
    (KC, "no audience mapper", {}, {"aud": "account"}, "aud-mismatch"),
    (KC, "a single group as a text", {}, {"groups": "/ward-staff"}, "groups-invalid"),
    (KC, "a lightweight access token", {}, {"sub": None, "realm_access": None}, "sub-missing"),
    (KC, "an ID token", {}, {"typ": "ID", "at_hash": "nzGjmQWvMQ6lQ5rsUxzUXg"}, "id-token"),
    (KC, "a refresh token", {}, {"typ": "Refresh"}, "not-for-access"),
    (KC, "another realm", {}, {"iss": "https://idp.hospital.example/realms/guests"}, "issuer-unknown"),
    (KC, "DPoP without its binding", {}, {"typ": "DPoP"}, "cnf-invalid"),
    (KC, "older than an hour", {}, {"iat": int(NOW) - 4000}, "too-old"),
    (E2, "another tenant", {}, {"tid": "9188040d-6c67-4c5b-b112-36a304b66dad"}, "claim-mismatch"),
    (E2, "an ID token of the same application", {}, {"azp": None, "azpacr": None, "scp": None}, "claim-mismatch"),
    (E2, "a public client", {}, {"azpacr": "0"}, "claim-mismatch"),
    (E2, "more groups than it sends", {}, {"groups": None} | OVERAGE, "groups-overage"),
    (E2, "more groups than it sends, the short way", {}, {"groups": None, "hasgroups": True}, "groups-overage"),
    (E2, "a bearer for Graph", {"nonce": "VGhpcyBpcyBub3QgYSByZWFsIG5vbmNl"}, {}, "header-unknown"),
    (E2, "a proof-of-possession bearer (SHR)", {}, {"cnf": {"kid": "k", "xms_ksl": "sw"}}, "cnf-invalid"),
    (E2, "another application's", {}, {"aud": "00000003-0000-0000-c000-000000000000"}, "aud-mismatch"),
    (E1, "version 2 in its place", {}, {"iss": ENTRA_2["iss"]}, "issuer-unknown"),
    (E1, "the issuer without its slash", {}, {"iss": ENTRA_1["iss"].rstrip("/")}, "issuer-unknown"),
    (E1, "another tenant", {}, {"tid": PERSON}, "claim-mismatch"),
    ("Okta", "the organisation's own server", {}, {"iss": "https://hospital.okta.example"}, "issuer-unknown"),
    ("Okta", "a single group as a text", {}, {"groups": "Ward Staff"}, "groups-invalid"),
    ("Okta", "an ID token", {}, {"aud": "0oa1wardapp", "scp": None, "at_hash": "fPlsvVszI29LU2UhDyJ9vg"}, "id-token"),
    (
        "Auth0",
        "the audience of userinfo alone",
        {},
        {"aud": "https://hospital.eu.auth0.example/userinfo"},
        "aud-mismatch",
    ),
    ("Auth0", "an ID token", {}, {"aud": "my_client_id", "scope": None, "nonce": "n"}, "id-token"),
    ("Auth0", "thirty days long", {}, {"exp": IAT + 30 * 86_400}, "lifetime-too-long"),
    ("Amazon Cognito", "an ID token", {}, {"token_use": "id", "aud": "4phigateclient1example"}, "id-token"),
    ("Amazon Cognito", "another app client", {}, {"client_id": "5another"}, "aud-mismatch"),
    ("Amazon Cognito", "bound to another resource", {}, {"aud": "https://billing.hospital.example"}, "aud-mismatch"),
    (
        "AD FS",
        "issuer as it is by default",
        {},
        {"iss": "http://fs.hospital.example/adfs/services/trust"},
        "issuer-unknown",
    ),
    ("AD FS", "no sub", {}, {"sub": None}, "sub-missing"),
    ("AD FS", "version 2016, two signing keys", {"kid": None, "x5t": "l_OZUmitFFug"}, {}, "kid-missing"),
    ("AD FS", "for its own userinfo", {}, {"aud": "urn:microsoft:userinfo"}, "aud-mismatch"),
    ("Google", "a person's ID token", {}, {"at_hash": "HK6E_P6Dh8Y93mRNtsDB1Q", "hd": "hospital.example"}, "id-token"),
    ("Google", "no email in it", {}, {"email": None, "email_verified": None}, "claim-mismatch"),
    ("Google", "for another service", {}, {"aud": "https://billing.hospital.example"}, "aud-mismatch"),
    ("GitHub Actions", "another owner", {}, {"repository_owner_id": "99"}, "claim-mismatch"),
    ("GitHub Actions", "no environment", {}, {"environment": None}, "claim-mismatch"),
    ("GitHub Actions", "the default audience", {}, {"aud": "https://github.com/hospital-ai"}, "aud-mismatch"),
    ("GitLab CI", "an unprotected branch", {}, {"ref_protected": "false"}, "claim-mismatch"),
    ("GitLab CI", "another namespace", {}, {"namespace_id": "73"}, "claim-mismatch"),
    (
        K8S,
        "what every pod has",
        {},
        {"aud": ["https://kubernetes.default.svc"], "exp": IAT + 31_536_000},
        "aud-mismatch",
    ),
    (K8S, "for a year", {}, {"exp": IAT + 31_536_000}, "lifetime-too-long"),
    (K8S, "another namespace", {}, {"kubernetes.io": {"namespace": "kitchen"}}, "claim-mismatch"),
    (SVID, "no issuer set in SPIRE", {}, {"iss": None}, "issuer-missing"),
    (SVID, "no iat", {}, {"iat": None}, "iat-missing"),
    (SVID, "typ JOSE", {"typ": "JOSE"}, {}, "typ-not-allowed"),
    (SVID, "a long SPIFFE ID", {}, {"sub": "spiffe://hospital.example/" + "a" * 250}, "sub-invalid"),
]


def settle(provider: str, header: dict[str, Any], claims: dict[str, Any]) -> tuple[Any, frozenset[str]]:
    """What comes of a bearer under the policy of the provider's section, and the roles it gives."""
    policy = parse_policy((REST + SECTIONS[provider]).encode(), "docs/identity.md", Path())
    bearer = mint({name: value for name, value in claims.items() if value is not None}, header, alg=header["alg"])
    outcome = check(bearer, policy.issuers, {rule.issuer: published() for rule in policy.issuers}, NOW)
    return outcome, policy.roles_of(outcome.groups) if isinstance(outcome, Believed) else frozenset()


@pytest.mark.parametrize("shape", [pytest.param(shape, id=f"{shape.provider}: {shape.sentence}") for shape in SHAPES])
def test_an_honest_bearer_gives_its_roles(shape: Shape) -> None:
    outcome, roles = settle(shape.provider, shape.header, shape.claims)
    assert isinstance(outcome, Believed), outcome
    assert outcome.id == shape.claims["sub"]
    assert roles == shape.roles
    assert not shape.groups or outcome.groups == shape.groups


@pytest.mark.parametrize(
    ("provider", "header", "claims", "reason"),
    [pytest.param(provider, *row, id=f"{provider}: {name}") for provider, name, *row in NEAR],
)
def test_what_only_just_misses_is_refused(
    provider: str, header: dict[str, Any], claims: dict[str, Any], reason: Reason
) -> None:
    honest = next(shape for shape in SHAPES if shape.provider == provider)
    changed = {name: value for name, value in (honest.header | header).items() if value is not None}
    assert settle(provider, changed, honest.claims | claims) == (Refused(reason), frozenset())


def test_every_provider_of_the_page_is_tried_and_missed() -> None:
    assert {name for name, entry in SECTIONS.items() if entry} == {shape.provider for shape in SHAPES}
    assert {provider for provider, *_ in NEAR} == {shape.provider for shape in SHAPES}

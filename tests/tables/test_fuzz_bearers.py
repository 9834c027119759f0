"""Random and mutated bearers, key sets and answers: nothing raises, and nothing that was changed is believed."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from phigate.identity.bearer import check
from phigate.identity.claims import from_introspection
from phigate.identity.jwks import JwksFault, KeySet, parse_jwks
from phigate.identity.outcome import REASONS, Believed, KeysNeeded, Refused
from phigate.identity.strict import Parts, from_base64url, read_bearer, read_object, to_base64url
from tests.identity import forge
from tests.identity.forge import NOW, RULE, Rule, claims, header, jwk_of, mint, settle

if TYPE_CHECKING:
    from collections.abc import Callable

few = settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])

STRICTEST = Rule(
    audience_from="client_id",
    groups_from=("groups", "realm_access.roles"),
    groups_as="text",
    required_claims={"tid": ("t-1", "true", "42"), "a.b": ("x",)},
)
WORDS = Rule(groups_from=("scope", "groups"), groups_as="words")

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(
        [0, 1, -1, 2**53, 2**63, 10**400, NOW, -0.0, 1e308, "", " ", "phigate", "true", "A" * 43, "\ud800"]
    )
    | st.text(max_size=8)
)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
HEADER_NAMES = st.sampled_from(["alg", "typ", "kid", "x5t", "x5t#S256", "crit", "jwk", "b64", "note"])
CLAIM_NAMES = st.sampled_from(
    [
        *claims(),
        *("nbf", "cnf", "events", "nonce", "scope", "hasgroups", "_claim_names", "typ", "token_use", "token_type"),
        *("htm", "tid", "client_id", "realm_access", "active", "a", "a.b", "at_hash", "token_introspection"),
    ]
)
HONEST = [mint(alg=alg) for alg in ("EdDSA", "ES256", "RS256")]
LETTERS = "ABCXYZabcxyz0189-_.=+/ \n\0\u200b\u0661"


def judged(bearer: str, rule: Rule = RULE) -> Believed | Refused | KeysNeeded:
    """Every outcome is one of those that are written down, and none is a fault of ours."""
    outcome = settle(bearer, rule)
    assert isinstance(outcome, Believed | Refused | KeysNeeded)
    if isinstance(outcome, Refused):
        assert outcome.reason in REASONS
        assert outcome.reason != "check-broke"
    return outcome


def signed(said: Any, head: Any | None = None) -> str:
    return mint(said, header("EdDSA") if head is None else head, alg="EdDSA")


@few
@given(st.text(max_size=200) | st.text(alphabet='AZaz09-_.=+/ {}[]"\\\0', max_size=80))
def test_no_text_is_believed(bearer: str) -> None:
    assert isinstance(judged(bearer), Refused)
    assert isinstance(read_bearer(bearer), Parts | Refused)


@few
@given(st.binary(max_size=80), st.binary(max_size=80), st.binary(max_size=80))
def test_no_bytes_in_segments_are_believed(head: bytes, said: bytes, signature: bytes) -> None:
    bearer = ".".join(to_base64url(part) for part in (head, said, signature))
    assert not isinstance(judged(bearer), Believed)


@few
@given(st.sampled_from(HONEST), st.data())
def test_no_mutated_text_is_believed(honest: str, data: st.DataObject) -> None:
    at, to = sorted(data.draw(st.tuples(*[st.integers(0, len(honest))] * 2)))
    other = data.draw(st.sampled_from(HONEST))
    mutated = data.draw(
        st.sampled_from(
            [
                honest[:at] + honest[to:],
                honest[:at] + honest[at:to][::-1] + honest[to:],
                honest[:to] + honest[at:to] + honest[to:],
                honest[:at] + other[at:],
                honest[:at] + data.draw(st.text(LETTERS, min_size=1, max_size=3)) + honest[to:],
            ]
        )
    )
    outcome = judged(mutated)
    # Cut at its ends, or put together from two, it can be an honest one again; then it says what that one says.
    assert mutated in HONEST if isinstance(outcome, Believed) else isinstance(outcome, Refused | KeysNeeded)


@few
@given(st.sampled_from(HONEST), st.integers(0, 2), st.data())
def test_no_mutated_segment_is_believed(honest: str, which: int, data: st.DataObject) -> None:
    def flipped(segment: str) -> str:
        raw = bytearray(from_base64url(segment) or b"")
        for at in data.draw(st.lists(st.integers(0, len(raw) - 1), min_size=1, max_size=3, unique=True)):
            raw[at] ^= data.draw(st.integers(1, 255))
        return to_base64url(bytes(raw))

    assert not isinstance(judged(forge.segment(honest, which, flipped)), Believed)


@few
@given(st.dictionaries(CLAIM_NAMES, ANYTHING, max_size=4), st.sampled_from([RULE, STRICTEST, WORDS]))
def test_signed_claims_are_believed_as_they_are_or_refused(changes: dict[str, Any], rule: Rule) -> None:
    said = claims(scope="ward-staff") | {"client_id": "phigate", "tid": "t-1", "a": {"b": "x"}} | changes
    outcome = judged(signed(said), rule)
    if isinstance(outcome, Believed):
        assert (outcome.issuer, outcome.id, outcome.jti) == (rule.issuer, said["sub"], said.get("jti"))
        assert NOW < outcome.expires <= NOW + 86_400
        assert all(isinstance(group, str) and group for group in outcome.groups)
        assert set(outcome.bound) <= {"jkt", "x5t#S256"}


@few
@given(st.dictionaries(HEADER_NAMES, ANYTHING, min_size=1, max_size=3))
def test_a_signed_header_is_of_the_closed_set_or_refused(changes: dict[str, Any]) -> None:
    head = header("EdDSA") | changes
    if isinstance(judged(signed(None, head)), Believed):
        assert head["alg"] == head["kid"] == "EdDSA"
        assert head.keys() <= {"alg", "typ", "kid", "x5t", "x5t#S256"}


@few
@given(st.binary(max_size=120), st.integers(0, 400), st.integers(0, 8))
def test_no_signed_bytes_are_believed_but_an_object_in_one_reading(extra: bytes, at: int, gone: int) -> None:
    raw = json.dumps(claims()).encode()
    said = raw[:at] + extra + raw[at + gone :]
    outcome = judged(signed(said))
    read = read_object(said)
    assert isinstance(read, dict | Refused)
    if isinstance(outcome, Believed):
        assert outcome.claims == read == json.loads(said)


@few
@given(st.binary(max_size=200) | ANYTHING.map(lambda value: json.dumps(value).encode("utf-8", "surrogatepass")))
def test_no_bytes_surprise_the_reader_of_objects(raw: bytes) -> None:
    read = read_object(raw)
    assert isinstance(read, Refused) or read == json.loads(raw)


@few
@given(st.dictionaries(CLAIM_NAMES, ANYTHING, max_size=5), st.sampled_from([RULE, STRICTEST, WORDS]))
def test_no_answer_surprises_the_table(changes: dict[str, Any], rule: Rule) -> None:
    answer = claims(active=True) | {"client_id": "phigate", "tid": "t-1", "a": {"b": "x"}} | changes
    outcome = from_introspection(deepcopy(answer), rule, NOW)
    assert isinstance(outcome, Believed | Refused)
    if isinstance(outcome, Believed):
        assert answer["active"] is True
        assert answer.get("iss", rule.issuer) == rule.issuer


KINDS = ("rsa", "ES256", "ES512", "EdDSA")
ENTRIES = [jwk_of(name) for name in KINDS]
MEMBERS = st.sampled_from(["kty", "kid", "use", "key_ops", "alg", "crv", "n", "e", "x", "y", "d", "k", "x5c"])


def with_turned_letter(data: st.DataObject) -> Callable[[dict[str, Any]], dict[str, Any]]:
    def change(entry: dict[str, Any]) -> dict[str, Any]:
        name = data.draw(st.sampled_from([name for name in ("n", "e", "x", "y") if name in entry]))
        at = data.draw(st.integers(0, len(entry[name]) - 1))
        return entry | {name: entry[name][:at] + data.draw(st.sampled_from(LETTERS)) + entry[name][at + 1 :]}

    return change


@few
@given(
    st.lists(
        st.tuples(st.sampled_from(ENTRIES), st.dictionaries(MEMBERS, ANYTHING, max_size=2), st.booleans()),
        min_size=1,
        max_size=4,
    ),
    st.data(),
)
def test_no_mutated_key_set_surprises_or_signs_for_another(
    changes: list[tuple[dict[str, Any], dict[str, Any], bool]], data: st.DataObject
) -> None:
    turn = with_turned_letter(data)
    entries = [(turn(entry) if turned else entry) | members for entry, members, turned in changes]
    keys = parse_jwks(json.dumps({"keys": entries}).encode("utf-8", "surrogatepass"))
    assert isinstance(keys, KeySet | JwksFault)
    if isinstance(keys, KeySet):
        assert len(keys.keys) + sum(keys.dropped.values()) == len(entries)
        outcome = check(HONEST[0], (RULE,), {RULE.issuer: keys}, NOW)
        honest = jwk_of("EdDSA")["x"]
        if isinstance(outcome, Believed):
            assert any(entry.get("x") == honest for entry in entries)


@few
@given(
    st.binary(max_size=200) | ANYTHING.map(lambda value: json.dumps({"keys": value}).encode("utf-8", "surrogatepass"))
)
def test_no_document_surprises_the_reader_of_key_sets(raw: bytes) -> None:
    assert isinstance(parse_jwks(raw), KeySet | JwksFault)

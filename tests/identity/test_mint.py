"""Bearers of the gateway's own: what they say, how they are signed, and that they never reach beyond their origin."""

import json
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from phigate.exchange import Scope, Subject
from phigate.identity import own
from phigate.identity.bearer import check
from phigate.identity.grants import GrantFault, TokenRequest, settle
from phigate.identity.mint import Terms, claims_of, signed
from phigate.identity.outcome import Believed
from phigate.identity.scope import within
from phigate.identity.strict import MAX_BEARER, read_bearer, to_base64url
from tests.identity import forge

NOW = 1_800_000_000.25
IDP, CONSOLE, GATEWAY = "https://idp.example", "https://console.example", "https://ai.example"
KEY, KID = Ed25519PrivateKey.generate(), "the-key"
PUBLIC = {"kty": "OKP", "crv": "Ed25519", "x": to_base64url(KEY.public_key().public_bytes_raw()), "kid": KID}
KEYS = {CONSOLE: forge.keyset(PUBLIC)}
ADA = Subject(IDP, "ada", ("ward", "physicians"), frozenset({"clinician"}), NOW + 3600, "b-1", NOW - 60, signed_by=IDP)


def claims(subject=ADA, terms=None, now=NOW, jti="one"):
    return claims_of(subject, terms or Terms(900), issuer=CONSOLE, audience=GATEWAY, now=now, jti=jti)


def bearer(subject=ADA, terms=None, now=NOW, jti="one"):
    return signed(claims(subject, terms, now, jti), KID, KEY.sign)


def believed(text, now=NOW):
    return check(text, (own.Own(CONSOLE, (GATEWAY,)),), KEYS, now)


def subject_of(text, now=NOW):
    """Who a bearer of our own proves, by the way the gateway takes."""
    found = believed(text, now)
    assert isinstance(found, Believed)
    speaks = own.read(found, frozenset({IDP}))
    assert isinstance(speaks, own.Speaks)
    return Subject(
        *(speaks.issuer, found.id, found.groups, frozenset(), found.expires, found.jti, speaks.issued),
        *(speaks.scope, speaks.uses, found.issuer, speaks.family, tuple(sorted(found.bound.items()))),
        context=speaks.context,
    )


def test_it_says_what_an_access_token_says():
    # RFC 9068 section 2.2
    assert claims() == {
        "iss": CONSOLE,
        "aud": GATEWAY,
        "sub": "ada",
        "idp": IDP,
        "client_id": "phigate",
        "groups": ["ward", "physicians"],
        "iat": 1_800_000_000,
        "exp": 1_800_000_900,
        "jti": "one",
        "origin_iat": NOW - 60,
    }


def test_it_says_what_it_is_limited_to():
    terms = Terms(60, Scope(frozenset({"ward"}), frozenset({"chat"})), 1, (("jkt", "A" * 43),), ((IDP, "b-1"),))
    said = claims(terms=terms)
    assert said["scope"] == "action:chat model:ward"
    assert said["uses"] == 1
    assert said["cnf"] == {"jkt": "A" * 43}
    assert said["family"] == [[IDP, "b-1"]]
    assert said["exp"] - said["iat"] == 60


def test_its_header_names_key_and_kind():
    # RFC 9068 section 2.1
    assert read_bearer(bearer()).header == {"alg": "EdDSA", "kid": KID, "typ": "at+jwt"}


def test_it_is_believed_and_speaks_for_whom_it_was_issued():
    terms = Terms(60, Scope(frozenset({"ward"})), None, (("jkt", to_base64url(bytes(32))),), ((IDP, "b-1"),))
    found = subject_of(bearer(replace(ADA, context=(("commit", "9f"), ("pipeline", "7"))), terms))
    assert found.context == (("commit", "9f"), ("pipeline", "7"))
    assert (found.issuer, found.id, found.groups) == (IDP, "ada", ADA.groups)
    assert (found.issued, found.jti, found.signed_by) == (ADA.issued, "one", CONSOLE)
    assert (found.scope, found.uses, found.family) == (terms.scope, None, terms.family)
    assert found.bound == terms.bound


def test_one_character_changed_is_not_believed():
    text = bearer()
    middle = text.index(".") + 10
    assert not isinstance(
        believed(text[:middle] + ("A" if text[middle] != "A" else "B") + text[middle + 1 :]), Believed
    )


ENDS = [
    ("what was asked for", NOW + 3600, 60, 60),
    ("the subject's own end, where that is sooner", NOW + 30, 60, 30),
    ("its last second", NOW + 0.75, 60, 1),
    ("one second, if that was asked for", NOW + 3600, 1, 1),
]


@pytest.mark.parametrize(("sentence", "ends", "lifetime", "lives"), ENDS, ids=[case[0] for case in ENDS])
def test_it_ends_with(sentence, ends, lifetime, lives):
    said = claims(replace(ADA, expires=ends), Terms(lifetime))
    assert said["exp"] - said["iat"] == lives
    assert isinstance(said["exp"], int)


@pytest.mark.parametrize("ends", [NOW - 30, NOW, NOW + 0.5], ids=["half a minute ago", "now", "in this very second"])
def test_for_a_bearer_that_is_over_there_is_none(ends):
    # An issuer's leeway may let such a bearer by; what it is exchanged for has none.
    assert claims(replace(ADA, expires=ends)) is None


def test_an_origin_whose_clock_is_ahead_counts_as_issued_now():
    assert subject_of(bearer(replace(ADA, issued=NOW + 40))).issued == int(NOW)


def test_one_that_nobody_could_read_is_not_made():
    many = replace(ADA, groups=tuple(f"group-{number:04}-{'x' * 40}" for number in range(400)))
    assert signed(claims(many), KID, KEY.sign) is None
    some = replace(ADA, groups=many.groups[:150])
    assert len(bearer(some)) <= MAX_BEARER
    assert subject_of(bearer(some)).groups == some.groups


def test_it_is_written_in_one_way_only():
    assert bearer() == bearer()
    raw = read_bearer(bearer())
    assert list(raw.claims) == sorted(raw.claims)
    assert json.dumps(raw.header, separators=(",", ":")) == '{"alg":"EdDSA","kid":"the-key","typ":"at+jwt"}'


# -- never beyond its origin ----------------------------------------------------------------------------------------

SCOPES = st.none() | st.builds(
    Scope,
    st.frozensets(st.sampled_from(["a", "b"])),
    st.frozensets(st.sampled_from(["chat", "embed", "revoke"]), min_size=1),
)
ASKS = st.builds(
    TokenRequest,
    st.just("token-exchange"),
    st.just("bearer"),
    st.just("text"),
    SCOPES,
    st.none() | st.floats(1, 1e6),
    st.none() | st.just(1),
)
SUBJECTS = st.builds(
    replace,
    st.just(ADA),
    expires=st.floats(NOW - 60, NOW + 7200),
    issued=st.floats(NOW - 86400, NOW + 60),
    scope=SCOPES,
    uses=st.none() | st.just(1),
    jti=st.none() | st.just("b-1"),
    bound=st.just(()) | st.just((("jkt", to_base64url(bytes(32))),)),
)


@given(SUBJECTS, st.lists(ASKS, min_size=1, max_size=10), st.floats(1, 900), st.floats(0, 300))
def test_however_often_it_is_exchanged_it_is_never_wider_longer_or_freer_than_its_origin(origin, asks, longest, pause):
    """Each is exchanged for the next; every one is read back by the way the gateway reads it."""
    holder, now = origin, NOW
    for number, ask in enumerate(asks):
        terms = settle(ask, holder, longest)
        if isinstance(terms, GrantFault):
            assert terms.reason in {"one-shot", "scope-exceeded", "family-too-long"}
            return
        said = claims(holder, terms, now, f"g-{number}")
        if said is None:
            assert holder.expires < now + 1
            return
        found = subject_of(signed(said, KID, KEY.sign), now)
        assert found.expires <= min(holder.expires, origin.expires, now + longest)
        assert ask.lifetime is None or found.expires <= now + ask.lifetime
        assert holder.scope is None or within(found.scope or Scope(), holder.scope)
        assert origin.scope is None or within(found.scope or Scope(), origin.scope)
        assert ask.scope is None or found.scope == ask.scope
        assert holder.uses is None
        assert found.bound == holder.bound == origin.bound
        assert (found.issuer, found.id, found.groups) == (origin.issuer, origin.id, origin.groups)
        assert found.issued <= origin.issued
        assert set(found.family) >= set(holder.family)
        assert holder.jti is None or (holder.signed_by, holder.jti) in found.family
        holder, now = found, now + pause

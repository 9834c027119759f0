"""What the policy makes of a bearer, and why: the checks in their order, for the engineer who asks. Pure.

The verdict is that of the gateway's own check; which step it fell at follows from its reason. So this page cannot say
anything else than the gateway does. No claim's value stands in it, but what the policy itself says already.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Literal

from phigate.identity.claims import at_path, rule_of
from phigate.identity.outcome import REASONS, Believed, Refused, Unavailable
from phigate.identity.strict import Parts, read_bearer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from phigate.identity.jwks import KeySet
    from phigate.identity.outcome import IssuerRule, Reason
    from phigate.policy.schema import Policy, Rule

type State = Literal["ok", "refused", "unsettled", "not reached", "with each request"]

_FORM: Final = (
    *("malformed", "too-large", "encrypted", "not-canonical", "not-utf8", "json-invalid", "json-not-object"),
    *("json-too-deep", "json-duplicate-name", "json-number", "json-surrogate", "check-broke"),
)
STEPS: Final[Mapping[str, tuple[Reason, ...]]] = {
    "form": _FORM,
    "asked": ("inactive",),
    "issuer": ("issuer-missing", "issuer-unknown", "issuer-ambiguous"),
    "header": (
        "header-forbidden",
        "header-unknown",
        "alg-missing",
        "alg-not-allowed",
        "typ-not-allowed",
        "kid-invalid",
    ),
    "key": ("kid-missing", "kid-unknown", "key-mismatch"),
    "signature": ("signature-invalid",),
    "kind": ("security-event", "id-token", "not-for-access"),
    "binding": ("cnf-invalid",),
    "audience": ("aud-missing", "aud-invalid", "aud-mismatch"),
    "required": ("claim-mismatch",),
    "dates": (
        *("exp-missing", "exp-invalid", "expired", "lifetime-too-long", "nbf-invalid", "not-yet-valid"),
        *("iat-missing", "iat-invalid", "iat-future", "too-old"),
    ),
    "subject": ("sub-missing", "sub-invalid"),
    "id": ("jti-invalid",),
    "groups": ("groups-overage", "groups-invalid", "groups-too-many"),
    "context": ("context-invalid",),
}
"""The steps in the order of `bearer.check`, each with the reasons it can give."""
OF_A_JWS: Final = tuple(name for name in STEPS if name != "asked")
OF_AN_OPAQUE_ONE: Final = tuple(name for name in STEPS if name not in {"header", "key", "signature"})
LATER: Final = ("proof", "revocation")
"""What only a request, and only the gateways' ledger, can tell."""


@dataclass(frozen=True, slots=True)
class Step:
    """One check: how it ended, its reason if it refused, and a sentence."""

    name: str
    state: State
    said: str = ""
    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """A role that comes out, and the bearer's groups that hold it."""

    role: str
    groups: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Explained:
    """All there is to say about one bearer; groups, roles and rules only where it is believed."""

    steps: tuple[Step, ...]
    groups: tuple[str, ...] = ()
    roles: tuple[Held, ...] = ()
    idle: tuple[str, ...] = ()
    """Groups that give no role."""
    rules: tuple[Rule, ...] = ()
    """The policy's rules that speak of these roles, or of everybody."""

    @property
    def state(self) -> State:
        """How it ends: `ok`, `refused` or `unsettled`."""
        return next((step.state for step in self.steps if step.state in {"refused", "unsettled"}), "ok")


@dataclass(frozen=True, slots=True)
class _Case:
    """What is known of the bearer so far; claims count only as far as the steps went well."""

    policy: Policy
    rule: IssuerRule | None
    header: Mapping[str, Any]
    claims: Mapping[str, Any]
    keys: KeySet | None
    now: float
    groups: int = 0
    opaque: bool = False
    silent: bool = False
    """What its issuer answered is not at hand any more."""


def explain(
    bearer: str,
    policy: Policy,
    outcome: Believed | Refused | Unavailable,
    now: float,
    *,
    keys: KeySet | None = None,
    asked: IssuerRule | None = None,
) -> Explained:
    """Tell how a verdict came about.

    `outcome` is what `bearer.check` said with `keys` in hand, or the issuer of the rule `asked` about an opaque bearer
    (RFC 7662); `now` is in seconds since the epoch.
    """
    names = OF_AN_OPAQUE_ONE if asked else OF_A_JWS
    case = _of_an_opaque_one(policy, outcome, now, asked) if asked else _of_a_jws(bearer, policy, keys, now)
    if isinstance(outcome, Believed):
        case = replace(case, groups=len(outcome.groups))
    at = _stopped_at(names, outcome)
    steps = [_step(name, number - at, case, outcome) for number, name in enumerate(names)]
    if not isinstance(outcome, Believed):
        return Explained((*steps, *(Step(name, "not reached") for name in LATER)))
    if _unbound(case, outcome):
        return Explained((*steps, _UNPROVABLE, Step("revocation", "not reached")))
    later = [Step(name, "with each request", said(outcome)) for name, said in _LATER.items()]
    roles = _roles(policy, outcome.groups)
    idle = tuple(group for group in outcome.groups if group not in policy.group_roles)
    held = frozenset(role.role for role in roles)
    rules = tuple(rule for rule in policy.rules if _speaks_of(rule, held))
    return Explained((*steps, *later), outcome.groups, roles, idle, rules)


def _of_an_opaque_one(policy: Policy, outcome: object, now: float, asked: IssuerRule) -> _Case:
    claims = outcome.claims if isinstance(outcome, Believed) else None
    return _Case(policy, asked, {}, claims or {}, None, now, opaque=True, silent=claims is None)


def _of_a_jws(bearer: str, policy: Policy, keys: KeySet | None, now: float) -> _Case:
    parts = read_bearer(bearer)
    if not isinstance(parts, Parts):
        return _Case(policy, None, {}, {}, keys, now)
    rule = rule_of(parts.claims, policy.issuers)
    return _Case(policy, None if isinstance(rule, Refused) else rule, parts.header, parts.claims, keys, now)


def _stopped_at(names: tuple[str, ...], outcome: Believed | Refused | Unavailable) -> int:
    """The number of the step that the verdict fell at; after the last one where none refused."""
    if isinstance(outcome, Believed):
        return len(names)
    if isinstance(outcome, Unavailable):
        return names.index("key" if "key" in names else "asked")
    return next((at for at, name in enumerate(names) if outcome.reason in STEPS[name]), 0)


def _step(name: str, distance: int, case: _Case, outcome: Believed | Refused | Unavailable) -> Step:
    if distance > 0:
        return Step(name, "not reached")
    if distance < 0:
        return Step(name, "ok", "" if case.silent and name not in {"form", "asked", "issuer"} else _WELL[name](case))
    if isinstance(outcome, Unavailable):
        return Step(name, "unsettled", _UNSETTLED[outcome.reason])
    assert isinstance(outcome, Refused)
    hint = _HINTS[outcome.reason](case) if outcome.reason in _HINTS else ""
    said = REASONS[outcome.reason]
    return Step(name, "refused", f"{said}; {hint}" if hint else said, outcome.reason)


def _roles(policy: Policy, groups: tuple[str, ...]) -> tuple[Held, ...]:
    found = sorted(policy.roles_of(groups))
    return tuple(Held(role, tuple(group for group in groups if role in policy.roles_of([group]))) for role in found)


def _speaks_of(rule: Rule, roles: frozenset[str]) -> bool:
    # `*` is whoever holds any role, and in a deny everybody.
    everybody = "*" in rule.roles and (bool(roles) or rule.verb == "deny")
    return everybody or not roles.isdisjoint(rule.roles)


# -- sentences ------------------------------------------------------------------------------------------------------


def _listed(words: Any) -> str:
    return ", ".join(f"`{word}`" for word in words)


def _whose(case: _Case) -> IssuerRule:
    assert case.rule is not None  # no step after `issuer` is reached without one
    return case.rule


def _count(number: int, of: str) -> str:
    return f"{number} {of}" if number == 1 else f"{number} {of}s"


def _span(seconds: float) -> str:
    return str(timedelta(seconds=int(seconds)))


def _form(case: _Case) -> str:
    return "opaque: only its issuer can read it" if case.opaque else "a JWS in compact form"


def _issuer(case: _Case) -> str:
    rule = _whose(case)
    number = [each.issuer for each in case.policy.issuers].index(rule.issuer)
    return f"`issuers[{number}]` of the policy: {rule.issuer}"


def _header(case: _Case) -> str:
    return f"{case.header['alg']} is one of {_listed(_whose(case).algorithms)}"


def _key(case: _Case) -> str:
    published = _count(len(case.keys.keys) if case.keys else 0, "usable key")
    return f"found by its id among {published}" if "kid" in case.header else "the issuer's only usable key"


def _binding(case: _Case) -> str:
    bound = _listed(case.claims.get("cnf", {}))
    return f"bound to a key by {bound}" if bound else "bound to no key: whoever holds it can use it"


def _audience(case: _Case) -> str:
    rule = _whose(case)
    return f"`{rule.audience_from}` names one of {_listed(rule.audience)}"


def _required(case: _Case) -> str:
    wanted = _whose(case).required_claims
    return f"{_listed(wanted)} as the policy says" if wanted else "the policy requires none"


def _dates(case: _Case) -> str:
    said = f"issued {_span(case.now - case.claims['iat'])} ago" if case.claims["iat"] <= case.now else "issued just now"
    left = case.claims["exp"] - case.now
    return f"{said}, ends in {_span(left)}" if left > 0 else f"{said}, ended within the policy's `leeway`"


def _id(case: _Case) -> str:
    return (
        "has a `jti`" if "jti" in case.claims else "has no `jti`: it can be taken back only with its subject's others"
    )


def _groups(case: _Case) -> str:
    paths = _whose(case).groups_from
    found = [path for path in paths if at_path(dict(case.claims), path) is not None]
    if not found:
        return f"none: the bearer has no {_listed(paths)}"
    return f"{_count(case.groups, 'group')} in {_listed(found)}"


def _context(case: _Case) -> str:
    wanted = _whose(case).context_from
    found = [name for name, path in wanted.items() if at_path(dict(case.claims), path) is not None]
    return f"{_listed(found)} as the policy names it" if found else "the policy reads none of it"


_WELL: Final[Mapping[str, Callable[[_Case], str]]] = {
    "form": _form,
    "asked": lambda _: "its issuer calls it active (RFC 7662)",
    "issuer": _issuer,
    "header": _header,
    "key": _key,
    "signature": lambda _: "by that key",
    "kind": lambda _: "an access token",
    "binding": _binding,
    "audience": _audience,
    "required": _required,
    "dates": _dates,
    "subject": lambda _: "has a `sub`",
    "id": _id,
    "groups": _groups,
    "context": _context,
}

_UNSETTLED: Final[Mapping[str, str]] = {
    "keys-unavailable": "the issuer's keys cannot be had",
    "introspection-unavailable": "the issuer could not be asked about it (`introspect`)",
    "ledger-unavailable": "the ledger cannot be asked",
    "clock-astray": "the gateway's clock and the ledger's are too far apart",
}


def _issuers(case: _Case) -> str:
    names = [rule.issuer for rule in case.policy.issuers]
    said = case.claims.get("iss")
    if isinstance(said, str) and any(said.rstrip("/") == name.rstrip("/") for name in names):
        return "it differs from one of them only by a `/` at the end"
    if {"idp", "origin_iat"} <= case.claims.keys():
        return "it looks like a gateway token, which only the gateways themselves can check"
    return f"they are {_listed(names)}"


def _dropped(case: _Case) -> str:
    if case.keys is None:
        return ""
    left_out = ", ".join(f"{count} {why}" for why, count in sorted(case.keys.dropped.items()))
    return f"of usable ones it publishes {len(case.keys.keys)}" + (f", left out: {left_out}" if left_out else "")


def _wanted(case: _Case) -> str:
    rule = _whose(case)
    return f"the policy wants {_listed(rule.audience)} in `{rule.audience_from}`"


def _ended(case: _Case) -> str:
    return f"{_span(case.now - case.claims['exp'])} ago" if case.claims else ""


_HINTS: Final[Mapping[Reason, Callable[[_Case], str]]] = {
    "issuer-unknown": _issuers,
    "alg-not-allowed": lambda case: f"the policy takes {_listed(_whose(case).algorithms)}",
    "kid-missing": _dropped,
    "kid-unknown": _dropped,
    "aud-missing": _wanted,
    "aud-invalid": _wanted,
    "aud-mismatch": _wanted,
    "claim-mismatch": lambda case: f"the policy names {_listed(_whose(case).required_claims)}",
    "expired": _ended,
    "groups-invalid": lambda case: f"`groups_as` is `{_whose(case).groups_as}`",
}


# -- what only a request can tell -----------------------------------------------------------------------------------

_WAYS: Final = {"jkt": "a DPoP proof (RFC 9449)", "x5t#S256": "its TLS client certificate (RFC 8705)"}
_WANTED: Final = {"dpop": "jkt", "mtls": "x5t#S256"}
_UNPROVABLE: Final = Step(
    "proof",
    "refused",
    "the policy's `proof` wants a binding that it does not have: nobody can prove it",
    "proof-missing",
)


def _unbound(case: _Case, outcome: Believed) -> bool:
    """Tell whether the policy wants a binding that this bearer lacks, so that no request with it can pass."""
    wanted = _WANTED.get(_whose(case).proof)
    return wanted is not None and wanted not in outcome.bound


def _proof(outcome: Believed) -> str:
    return f"needs {' and '.join(_WAYS[name] for name in outcome.bound)}" if outcome.bound else "none is needed"


_LATER: Final[Mapping[str, Callable[[Believed], str]]] = {
    "proof": _proof,
    "revocation": lambda _: "the gateways' ledger is looked at; it was not here",
}

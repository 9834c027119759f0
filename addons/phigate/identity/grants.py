"""What is asked of the token endpoint, and what may be granted: forms to values, values to terms. Pure.

- Token exchange (RFC 8693), SAML assertions (RFC 7522), revocation (RFC 7009); nothing that is asked twice is answered.
- Whoever asks may narrow what they hold: never longer, never wider, never to another key, never a used one.
- A fault says which parameter, in OAuth's own words (RFC 6749, 5.2); no value that was sent stands in it.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import unquote_to_bytes

from phigate.identity import scope as scopes
from phigate.identity.claims import _is_name
from phigate.identity.mint import Terms
from phigate.identity.own import MAX_FAMILY
from phigate.identity.strict import MAX_BEARER

if TYPE_CHECKING:
    from phigate.exchange import Scope, Subject

MAX_FORM: Final = 256 * 1024
"""Bytes; an assertion is the longest thing that is sent."""
MAX_PARAMETERS: Final = 32
MAX_NAME: Final = 64
MAX_ISSUER: Final = 1024

EXCHANGE: Final = "urn:ietf:params:oauth:grant-type:token-exchange"
SAML_BEARER: Final = "urn:ietf:params:oauth:grant-type:saml2-bearer"
_TYPE: Final = "urn:ietf:params:oauth:token-type:"
ACCESS_TOKEN: Final = f"{_TYPE}access_token"
SUBJECT_TYPES: Final = {ACCESS_TOKEN: "bearer", f"{_TYPE}jwt": "bearer", f"{_TYPE}saml2": "assertion"}
TARGETS: Final = frozenset({"resource", "audience"})
"""May stand several times (RFC 8693, 2.1)."""

type Error = Literal[
    "invalid_request",
    "invalid_grant",
    "invalid_scope",
    "invalid_target",
    "unsupported_grant_type",
    "invalid_dpop_proof",
    "temporarily_unavailable",
]
type Credential = Literal["bearer", "assertion"]
type Form = dict[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class GrantFault:
    """Why nothing is granted: OAuth's error, our reason for the record, and a sentence without values."""

    error: Error
    reason: str
    message: str
    status: int = 400


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """A bearer is asked for, on the strength of another credential; `refused` is its error if that is not believed."""

    grant: Literal["token-exchange", "saml2-bearer"]
    kind: Credential
    credential: str = field(repr=False)
    scope: Scope | None = None
    lifetime: float | None = None
    """Seconds."""
    uses: int | None = None

    @property
    def refused(self) -> Error:
        # RFC 8693 section 2.2.2 wants `invalid_request` where RFC 7522 section 3.1 wants `invalid_grant`.
        return "invalid_request" if self.grant == "token-exchange" else "invalid_grant"


@dataclass(frozen=True, slots=True)
class RevocationRequest:
    """What is to be taken back: a bearer that is shown, one by its `jti`, or all of a subject's; one of the three."""

    bearer: str | None = field(default=None, repr=False)
    jti: str | None = None
    subject: str | None = None
    issuer: str | None = None
    reason: str | None = None


def read_form(raw: bytes) -> Form | GrantFault:
    """Read an urlencoded form (RFC 6749, 3.2): a parameter without value is left out, a repeated one is a fault."""
    if len(raw) > MAX_FORM:
        return GrantFault("invalid_request", "too-large", "The form is too large.", 413)
    fields = [each for each in raw.split(b"&", MAX_PARAMETERS) if each]
    if len(fields) > MAX_PARAMETERS:
        return _malformed("There are too many parameters.")
    form: dict[str, tuple[str, ...]] = {}
    for each in fields:
        name, value = (_decoded(part) for part in each.partition(b"=")[::2])
        if name is None or value is None or not 0 < len(name) <= MAX_NAME:
            return _malformed("The form is not urlencoded UTF-8.")
        form[name] = (*form.get(name, ()), value)
    repeated = [name for name, values in form.items() if len(values) > 1 and name not in TARGETS]
    if repeated:
        return GrantFault("invalid_request", "parameter-repeated", "A parameter stands more than once.")
    return {name: kept for name, values in form.items() if (kept := tuple(filter(None, values)))}


_RAW: Final = re.compile(rb"(?:[\x21-\x24\x26-\x7e]|%[0-9A-Fa-f]{2})*")


def _decoded(raw: bytes) -> str | None:
    if not _RAW.fullmatch(raw):
        return None
    try:
        text = unquote_to_bytes(raw.replace(b"+", b" ")).decode("utf-8")
    except UnicodeDecodeError:
        return None
    return text if text.isprintable() else None


def _malformed(message: str) -> GrantFault:
    return GrantFault("invalid_request", "request-malformed", message)


def _missing(name: str) -> GrantFault:
    return GrantFault("invalid_request", "parameter-missing", f"`{name}` is missing.")


def _invalid(name: str) -> GrantFault:
    return GrantFault("invalid_request", "parameter-invalid", f"`{name}` is not one that can be used here.")


# -- a bearer is asked for ------------------------------------------------------------------------------------------


def read_token_request(form: Form, resource: str) -> TokenRequest | GrantFault:
    """Read what `POST /token` asks for; `resource` is the one address that a bearer can be for."""
    grant = _one(form, "grant_type")
    if grant is None:
        return _missing("grant_type")
    if grant == EXCHANGE:
        return _exchange(form, resource)
    if grant == SAML_BEARER:
        return _asked(form, resource, "saml2-bearer", "assertion", "assertion")
    return GrantFault("unsupported_grant_type", "grant-type-unsupported", "This grant type is not known here.")


def _exchange(form: Form, resource: str) -> TokenRequest | GrantFault:
    if "actor_token" in form or "actor_token_type" in form:
        return GrantFault("invalid_request", "actor-unsupported", "Nobody can act for somebody else here.")
    stated = _one(form, "subject_token_type")
    if stated is None:
        return _missing("subject_token_type")
    kind = SUBJECT_TYPES.get(stated)
    if kind is None:
        return _invalid("subject_token_type")
    if _one(form, "requested_token_type") not in {None, ACCESS_TOKEN}:
        return _invalid("requested_token_type")
    return _asked(form, resource, "token-exchange", "assertion" if kind == "assertion" else "bearer", "subject_token")


def _asked(
    form: Form, resource: str, grant: Literal["token-exchange", "saml2-bearer"], kind: Credential, where: str
) -> TokenRequest | GrantFault:
    """The rest, which all grants share: the credential, the target, and how much of it is wanted."""
    credential = _one(form, where)
    if credential is None:
        return _missing(where)
    if kind == "bearer" and len(credential) > MAX_BEARER:
        return _invalid(where)
    if any(target not in {resource, f"{resource}/"} for name in TARGETS for target in form.get(name, ())):
        return GrantFault("invalid_target", "target-invalid", "Bearers are issued for this gateway only.")
    text = _one(form, "scope")
    scope = scopes.read(text) if text is not None else None
    if text is not None and scope is None:
        message = "`scope` is made of `model:NAME` and `action:NAME`."
        return GrantFault("invalid_scope", "scope-invalid", message)
    stated = _one(form, "lifetime")
    lifetime = _seconds(stated) if stated is not None else None
    if stated is not None and lifetime is None:
        return _invalid("lifetime")
    if _one(form, "uses") not in {None, "1"}:
        return _invalid("uses")
    return TokenRequest(grant, kind, credential, scope, lifetime, 1 if "uses" in form else None)


def _one(form: Form, name: str) -> str | None:
    return form[name][0] if name in form else None


_WHOLE: Final = re.compile(r"[0-9]{1,9}", re.ASCII)
_DURATION: Final = re.compile(
    r"P(?=[0-9T])(?:([0-9]{1,9})D)?(?:T(?=[0-9])(?:([0-9]{1,9})H)?(?:([0-9]{1,9})M)?(?:([0-9]{1,9})S)?)?", re.ASCII
)


def _seconds(text: str) -> float | None:
    """A duration of ISO 8601 in days to seconds, or whole seconds; None for any other text, and for none at all."""
    if _WHOLE.fullmatch(text):
        return float(text) or None
    found = _DURATION.fullmatch(text)
    if found is None:
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return float(((days * 24 + hours) * 60 + minutes) * 60 + seconds) or None


def settle(request: TokenRequest, subject: Subject, longest: float) -> Terms | GrantFault:
    """Settle what whoever proved to be `subject` gets; `longest` is the policy's longest life, in seconds.

    Where they ask for less than they could have, they get that; where they ask for more, nothing but time is cut.
    """
    if subject.uses is not None:
        return GrantFault(request.refused, "one-shot", "A bearer for one use cannot be exchanged.")
    scope = subject.scope if request.scope is None else request.scope
    if subject.scope is not None and (scope is None or not scopes.within(scope, subject.scope)):
        return GrantFault("invalid_scope", "scope-exceeded", "`scope` is wider than that of the bearer it comes from.")
    family = subject.family
    if subject.jti is not None:
        family = (*family, (subject.signed_by or subject.issuer, subject.jti))
    if len(family) > MAX_FAMILY:
        return GrantFault(request.refused, "family-too-long", "It was exchanged too often already.")
    lifetime = longest if request.lifetime is None else min(request.lifetime, longest)
    return Terms(lifetime, scope, request.uses, subject.bound, family)


# -- something is taken back ----------------------------------------------------------------------------------------

_REASON: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,63}", re.ASCII)
"""A word, not a text: it is kept in the clear, and a text could hold anything about anybody."""


def read_revocation(form: Form) -> RevocationRequest | GrantFault:
    """Read what `POST /revoke` asks for; `token_type_hint` is not needed to find a bearer (RFC 7009, 2.1)."""
    named = Counter(name for name in ("token", "jti", "subject") if name in form)
    if not named:
        return _missing("token")
    if len(named) > 1:
        return _malformed("`token`, `jti` and `subject` exclude each other.")
    bearer, jti, subject = (_one(form, name) for name in ("token", "jti", "subject"))
    issuer, reason = _one(form, "issuer"), _one(form, "reason")
    if subject is not None and issuer is None:
        return _missing("issuer")
    if issuer is not None and (bearer is not None or len(issuer) > MAX_ISSUER):
        return _invalid("issuer")
    for name, value in (("jti", jti), ("subject", subject)):
        if value is not None and not _is_name(value):
            return _invalid(name)
    if reason is not None and not _REASON.fullmatch(reason):
        return _invalid("reason")
    return RevocationRequest(bearer, jti, subject, issuer, reason)

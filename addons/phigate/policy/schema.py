"""The whole language of rules/policy.yaml, as values that cannot be wrong once they exist.

Rules of this file: an unknown key is a fault; empty is invalid; every name leads somewhere; all faults come at once; a
word that this version cannot act on is a fault or denies, it never permits. Descriptions are the text of the table in
docs/policy.md (`python -m phigate.policy.reference`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping  # noqa: TC003  # pydantic reads the signatures here
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    Field,
    ModelWrapValidatorHandler,
    PrivateAttr,
    ValidationError,
    model_validator,
)
from pydantic_core import InitErrorDetails

from phigate.policy import checks, limits, notify
from phigate.policy.fields import (
    ActionOrAll,
    Algorithm,
    Answers,
    Audience,
    BearerLife,
    Bodies,
    Claim,
    Claims,
    Context,
    Credential,
    Duration,
    Endpoint,
    FieldPath,
    Glob,
    Grantable,
    GroupsAs,
    GrpcUrl,
    HiddenAs,
    Justified,
    KeyLife,
    KeySource,
    Leeway,
    Many,
    MaskName,
    MaskOf,
    MaskOptions,
    ModelName,
    ModelOrAll,
    Name,
    Opacity,
    Pattern,
    Proof,
    Purpose,
    Retention,
    Role,
    RoleOrAll,
    RouteMatch,
    RouteModel,
    RouteShape,
    RuleName,
    Says,
    SealTo,
    Section,
    ServedAction,
    Side,
    Some,
    Text,
    TextPath,
    Told,
    UpstreamUrl,
    Version,
    Wanted,
    Whole,
    Yes,
)
from phigate.policy.fields import (
    Issuer as IssuerUrl,
)
from phigate.policy.hours import Hours, Window
from phigate.policy.limits import Limit, Limits, Rate
from phigate.policy.masks import REDACT, REVEAL, Mask, Transform
from phigate.policy.notify import SlackPerson, SlackTeam, Teams, Webhook, Webhooks
from phigate.policy.sentences import fault, sentence
from phigate.policy.sign_in import SignIn
from phigate.policy.targets import Ambiguous, Target, Targets, Unknown
from phigate.policy.words import ACTIONS, ALGORITHMS, ENTITIES, OTHER, PURPOSES, TRANSFORMS, VERBS

__all__ = [
    "ACTIONS",
    "ALGORITHMS",
    "ENTITIES",
    "OTHER",
    "PURPOSES",
    "REVEAL",
    "TRANSFORMS",
    "VERBS",
    "Ambiguous",
    "Capture",
    "FieldRule",
    "GrantTerms",
    "Introspection",
    "Issuer",
    "Mask",
    "Model",
    "Origin",
    "Policy",
    "Route",
    "Rule",
    "Saml",
    "Section",
    "Target",
    "Tokens",
    "Transform",
    "Unknown",
    "When",
]


class Introspection(Section):
    url: Endpoint = Field(description="the issuer's introspection endpoint (RFC 7662)")
    client_id: Text = Field(description="who the gateway is to the issuer")
    credential: Credential = Field(description="the gateway's secret there")


class Issuer(Section):
    issuer: IssuerUrl = Field(description="whose bearers are believed: the exact `iss`")
    audience: Audience = Field(description="a bearer is for us when its `aud` holds one of these")
    audience_from: Claim = Field(
        default="aud", description="the claim compared with `audience`, for issuers that send no `aud` (`client_id`)"
    )
    algorithms: Some[Algorithm] = Field(description="signatures we accept; never the bearer's choice")
    keys: KeySource = Field(
        description="where the issuer's public keys are; `file:` is relative to the policy's folder"
    )
    groups_from: Claims = Field(
        description="where the groups are; of several claims all are read; `.` goes into an object"
    )
    groups_as: GroupsAs = Field(
        default="list",
        description="their form: a list of texts; `text` also takes a single one; `words` are separated by blanks",
    )
    required_claims: Annotated[
        dict[Text, Wanted], Field(min_length=1), Says("claim path: text, or a list of texts")
    ] = Field(default={}, description="a bearer is refused unless each of these claims is, or holds, one of its texts")
    context_from: Context = Field(
        default={},
        description="what a bearer says of its occasion (a pipeline's commit), by names for tickets and records",
    )
    max_age: Duration | None = Field(default=None, description="a bearer issued longer ago is refused")
    leeway: Leeway = Field(default=timedelta(seconds=60), description="how far the issuer's clock may be off")
    proof: Proof = Field(
        default="as-bound",
        description="a bearer that is bound to a key (`cnf`) is always proven; `dpop` (RFC 9449) and `mtls` (RFC 8705) "
        "refuse those that are not bound in this way",
    )
    introspect: Introspection | None = Field(
        default=None, description="ask the issuer about bearers that are no JWT; one issuer of a policy may have it"
    )


class Saml(Section):
    entity_id: Text = Field(description="the identity provider's entity id: the assertion's exact `Issuer`")
    certificates: Some[Text] = Field(
        description="PEM files with its signing certificates, relative to the policy's folder"
    )
    audience: Audience = Field(description="the assertion's `Audience`")
    groups_from: Text = Field(description="attribute that holds the groups")


class Tokens(Section):
    lifetime: BearerLife = Field(
        default=timedelta(minutes=15), description="the longest life of a bearer that the gateway issues itself"
    )
    rotate: KeyLife = Field(default=timedelta(days=7), description="how long one of its signing keys is used")


class Model(Section):
    url: UpstreamUrl | None = Field(default=None, description="its server; without it mitmproxy's reverse target")
    grpc: GrpcUrl | None = Field(default=None, description="its server for gRPC; without it option `phi_grpc_upstream`")
    names: Some[Glob] = Field(default=(), description="the names callers use for it; without it the entry's own name")
    credential: Credential | None = Field(default=None, description="what the gateway shows the server for itself")
    speaks: Some[Name] = Field(
        default=(), description="the dialects that its server speaks (docs/dialects.md); without it all of them"
    )


class When(Section):
    prompt_matches: Some[Pattern] = Field(
        description="the rule matches only when one of these is found in the prompt's texts, or in their join"
    )


class GrantTerms(Section):
    for_: Duration | None = Field(default=None, alias="for", description="how long the yes lasts")
    uses: Annotated[Whole, Field(ge=1, le=1000)] | None = Field(
        default=None, description="how many requests it lets by"
    )
    bind: Grantable | None = Field(default=None, description="`request`: only the very request that was approved")
    hours: Hours = Field(default=(), description="it counts in these only; its time goes on outside of them")


class Rule(Section):
    name: RuleName = Field(description="unique; stands in replies, records and metrics")
    permit: Some[RoleOrAll] = Field(default=(), description="verb: these roles may; `*` is whoever holds any role")
    hold: Some[RoleOrAll] = Field(default=(), description="verb: these roles may once somebody said yes")
    deny: Some[RoleOrAll] = Field(default=(), description="verb: these roles may not; `*` is everybody")
    break_glass: Some[RoleOrAll] = Field(
        default=(),
        description="verb: these roles may in an emergency, with the header `phi-break-glass: REASON`; "
        "it is reviewed afterwards",
    )
    to: Some[ActionOrAll] = Field(description="what the rule is about; `*` (every action) in a `deny` only")
    models: Some[ModelOrAll] = Field(
        default=(), description="which models; `*` for all; needed except in a `deny`, where nothing means all"
    )
    when: When | None = Field(default=None, description="further conditions")
    hours: Hours = Field(default=(), description="the rule applies in these only; a `deny` denies nothing outside them")
    purpose: Purpose | None = Field(default=None, description="why, for the record")
    mask: MaskName | None = Field(
        default=None, description="how the answer is masked: one of `masks`, or `reveal`; needed where there is content"
    )
    prompt: MaskName | None = Field(default=None, description="how the prompt is masked before the model sees it")
    restore: Yes = Field(
        default=False,
        description="`true` puts back, in the caller's answer, what `prompt` replaced by something that tells values "
        "apart (surrogate, shift, hash, encrypt)",
    )
    opaque: Opacity = Field(default="never", description="`permit` lets content through that cannot be read")
    steering: Opacity = Field(
        default="never",
        description="`permit` lets requests through that decide what the model writes (tiny `max_tokens`, grammars, "
        "`logit_bias`) although the mask hides something",
    )
    approvers: Some[Role] = Field(
        default=(), description="roles that may say yes; never the requester; needed in a `hold`"
    )
    approvals: Annotated[Whole, Field(ge=1, le=10)] = Field(default=1, description="how many different people say yes")
    grant: GrantTerms = Field(
        default_factory=lambda: GrantTerms(uses=1, bind="request"),
        description="what a yes gives; without it one use of the very request",
    )
    justification: Justified = Field(
        default="optional", description="`required`: who asks says why, with the header `phi-justification: TEXT`"
    )
    wait: Duration | None = Field(
        default=None, description="hold the connection so long before answering with the ticket"
    )
    message: Text | None = Field(default=None, description="what the caller reads")
    review_by: Some[Role] = Field(default=(), description="roles that review afterwards; needed in a `break_glass`")
    review_within: Duration = Field(
        default=timedelta(days=3), description="how soon that review is due; one that is late is told"
    )

    @property
    def verb(self) -> str:
        return next(verb for verb in VERBS if getattr(self, verb))

    @property
    def roles(self) -> tuple[str, ...]:
        return tuple(getattr(self, self.verb))


class Route(Section):
    name: Name = Field(description="unique; stands in records")
    match: RouteShape = Field(
        description="method and path, of no known route; `{model}` stands for a model's name, `{version}` for a "
        "number, `{id}` for a word"
    )
    action: ServedAction = Field(description="the action it stands for")
    model: RouteModel | None = Field(
        default=None,
        description="the model that is always meant, or the member of the request that names it; without it the one "
        "in the path, or the only one that `speaks: [generic]`",
    )
    answers: Answers = Field(
        default=("json",),
        description="how its server answers: a JSON value, lines of JSON, server-sent events with JSON, or plain text; "
        "`json` may stand beside one of the others",
    )
    streams: Told = Field(
        default="either",
        description="how lines or events tell a text: in `pieces`, all of it anew each time (`cumulative`), or "
        "`either`, as is seen from the first of them; `whole`: each stands for itself",
    )
    text: Some[TextPath] = Field(
        default=(),
        description="members that hold running text, by the last name of their path: in a stream it goes out as it "
        "comes, all other texts at the end",
    )


class FieldRule(Section):
    models: Some[ModelOrAll] = Field(default=(), description="for which models; nothing means all")
    routes: Some[RouteMatch] = Field(default=(), description="for which routes; nothing means all")
    in_: Side = Field(default="both", alias="in", description="whether in requests, in answers or in both")
    hide: Annotated[dict[FieldPath, HiddenAs], Field(min_length=1), Says("path: entity")] = Field(
        default={}, description="what stands there is hidden as this, whatever it is"
    )
    keep: Some[FieldPath] = Field(
        default=(), description="what stands there the caller sees as it is; records and shadows never do"
    )
    scan: Some[FieldPath] = Field(
        default=(), description="what stands there is text, even where a protocol's own value is expected"
    )


class Capture(Section):
    mask: Annotated[MaskOf, AfterValidator(lambda mask: replace(mask, name="capture"))] = Field(
        default=Mask("capture", REDACT.transforms),
        description="what records, shadows, tickets and webhooks show: a mask with its options, but without `keep` "
        "and `undecodable: permit`",
    )
    bodies: Bodies = Field(default="masked", description="what of prompt and answer is kept")
    seal_to: SealTo | None = Field(
        default=None,
        description="the auditor's public key, for `sealed`; `file:` is a PEM file, relative to the policy's folder",
    )
    retain: Retention = Field(default=timedelta(days=6 * 366), description="how long records are kept (45 CFR 164.316)")


@dataclass(frozen=True, slots=True)
class Origin:
    """What a policy was read from: its text, the hex SHA-256 of that, and the folder its `file:` paths start from."""

    sha256: str
    folder: Path
    text: str = field(default="", repr=False)


def _named(masks: dict[str, Mask]) -> dict[str, Mask]:
    return {name: replace(mask, name=name) for name, mask in masks.items()}


def _consequence(error: Mapping[str, Any]) -> bool:
    """A list that is too short only because its items are faulty: pydantic counts the good ones."""
    return error["type"] == "too_short" and bool(error["input"])


class Policy(Section):
    version: Version = Field(description="of this language")
    issuers: Many[Issuer] = Field(description="whose bearers are believed; each verified on its own, keys never merged")
    saml: Many[Saml] = Field(default=(), description="SAML identity providers")
    tokens: Tokens = Field(
        default_factory=Tokens, description="bearers that the gateway issues itself, at `POST /token` of its console"
    )
    sign_in: SignIn | None = Field(
        default=None, description="how people sign in to the console's page; without it nobody does"
    )
    roles: Annotated[dict[Name, Some[Text]], Field(min_length=1), Says("role: list of groups")] = Field(
        description="which groups of the identity provider hold which role"
    )
    models: Annotated[dict[ModelName, Model], Field(min_length=1), Says("name: mapping")] | None = Field(
        default=None,
        description="names the rules use; without it the caller's own names, at mitmproxy's reverse target",
    )
    rules: Many[Rule] = Field(description="in any order")
    masks: Annotated[
        dict[Name, MaskOf], Field(min_length=1), AfterValidator(_named), Says("name: {entity: transform}")
    ] = Field(default={}, description="profiles: how each kind of identifier is hidden")
    roster: Text | None = Field(
        default=None, description="file of names and numbers that are found exactly; relative to the policy's folder"
    )
    detectors: Text | None = Field(
        default=None,
        description="file of your own detectors and lists (docs/detectors.md); relative to the policy's folder",
    )
    routes: Many[Route] = Field(default=(), description="servers that speak no known dialect")
    fields: Many[FieldRule] = Field(
        default=(), description="JSON members whose meaning is known; at one place `hide` beats `scan` beats `keep`"
    )
    capture: Capture = Field(default_factory=Capture, description="what is remembered")
    limits: Limits = Field(default=(), description="how much people may ask for (docs/limits.md)")
    webhooks: Webhooks = Field(default=(), description="who is told of approvals (docs/webhooks.md)")
    approvers_from: Teams = Field(default=(), description="who may answer from Slack (docs/webhooks.md)")

    _origin: Origin = PrivateAttr(default=Origin("", Path()))

    @model_validator(mode="wrap")
    @classmethod
    def _all_faults_at_once(cls, values: Any, handler: ModelWrapValidatorHandler[Policy]) -> Policy:
        found = (
            [*checks.faults(values), *notify.faults(values), *limits.faults(values)] if isinstance(values, dict) else []
        )
        try:
            policy = handler(values)
        except ValidationError as error:
            entries = error.errors(include_url=False)
            found += [(entry["loc"], sentence(entry, KEYS)) for entry in entries if not _consequence(entry)]
        if found:
            details = [InitErrorDetails(type=fault(text), loc=path, input=None) for path, text in found]
            raise ValidationError.from_exception_data("policy", details, hide_input=True)
        return policy

    def model_post_init(self, context: Any, /) -> None:
        if isinstance(context, Origin):
            self._origin = context

    def __eq__(self, other: object) -> bool:
        """The same text, read in the same folder: what it says need not be compared, which takes long."""
        if self is other:
            return True
        return isinstance(other, Policy) and (self.sha256, self.folder) == (other.sha256, other.folder)

    def __hash__(self) -> int:
        return hash(self.sha256)

    # Read on every exchange: pydantic's private attributes cost a microsecond each, a cached property nothing.
    @cached_property
    def sha256(self) -> str:
        return self._origin.sha256

    @cached_property
    def folder(self) -> Path:
        return self._origin.folder

    @property
    def text(self) -> str:
        return self._origin.text

    @cached_property
    def group_roles(self) -> dict[str, frozenset[str]]:
        """From a group to the roles that hold it."""
        groups = {group for held in self.roles.values() for group in held}
        return {group: frozenset(role for role, held in self.roles.items() if group in held) for group in groups}

    @cached_property
    def targets(self) -> Targets:
        return Targets(self.models)

    @cached_property
    def trusted(self) -> frozenset[str]:
        """Whose subjects it knows: the names of its issuers and of its SAML identity providers."""
        return frozenset([*(each.issuer for each in self.issuers), *(each.entity_id for each in self.saml)])

    def roles_of(self, groups: Iterable[str]) -> frozenset[str]:
        """The roles that any of these groups holds; a group the policy does not name gives none."""
        return frozenset().union(*(self.group_roles.get(group, ()) for group in groups))

    def resolve(self, model: str, dialect: str | None = None) -> Target | Unknown | Ambiguous:
        """Which entry of `models` a caller's name means, of those that speak `dialect`."""
        return self.targets.resolve(model, dialect)

    def mask(self, name: str) -> Mask:
        """A mask by the name a rule uses for it."""
        return REVEAL if name == REVEAL.name else self.masks[name]


SECTIONS: tuple[type[Section], ...] = (
    *(Policy, Issuer, Introspection, Saml, Tokens, SignIn, Model),
    *(Rule, When, Window, GrantTerms, MaskOptions, Route, FieldRule, Capture),
    *(Webhook, SlackTeam, SlackPerson, Limit, Rate),
)
KEYS = frozenset(field.alias or name for section in SECTIONS for name, field in section.model_fields.items())

"""Whom the gateway tells of approvals (`webhooks`), and who may answer them from Slack (`approvers_from`).

- A secret is only ever named: what the policy says stands in the journal. Slack's webhook addresses are secrets.
- Slack's signature proves Slack: whose click it was, and what groups they have, the policy says.
"""

from __future__ import annotations

from collections.abc import Iterator  # noqa: TC003  # as in schema.py
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import AfterValidator, Field

from phigate.policy import urls
from phigate.policy.fields import Credential, Many, Name, Says, Section, Some, Text, Yes, like, one_of
from phigate.policy.sentences import meant, quoted
from phigate.policy.tree import Path  # noqa: TC001  # as in schema.py

if TYPE_CHECKING:
    from phigate.policy.schema import Policy

EVENTS: Final = (
    "ticket.opened",
    "ticket.approved",
    "ticket.rejected",
    "ticket.revoked",
    "ticket.expired",
    "break_glass.used",
    "review.signed",
    "review.overdue",
)
"""Everything that is told."""
FORMATS: Final = frozenset({"standard", "slack"})

Event = Annotated[str, one_of("event", EVENTS), Says("event")]
Format = Annotated[str, one_of("format", FORMATS), Says("`standard` or `slack`")]
WebhookUrl = Annotated[Text, AfterValidator(urls.webhook), Says("https URL (http on loopback), or `env:NAME`")]
Team = Annotated[str, like(r"T[A-Z0-9]{2,31}", "is not the id of a Slack workspace, as in `T024BE7LD`"), Says("id")]
Member = Annotated[str, like(r"[UW][A-Z0-9]{2,31}", "is not the id of a Slack member, as in `U024BE7LH`"), Says("id")]


class Webhook(Section):
    name: Name = Field(description="unique; stands in records and metrics")
    url: WebhookUrl = Field(description="where it is told; Slack's own addresses are secrets: `env:NAME`")
    secret: Credential | None = Field(
        default=None, description="what a `standard` one is signed with: `whsec_BASE64`, or several with blanks between"
    )
    format: Format = Field(default="standard", description="as Standard Webhooks say, or a message for Slack")
    events: Some[Event] = Field(default=EVENTS, description="what it is told of")
    prompt: Yes = Field(
        default=False,
        description="`true` also sends what people wrote, masked: the prompt, reasons, comments, the call's path",
    )


class SlackPerson(Section):
    issuer: Text = Field(description="one of `issuers` or `saml`, by its name")
    id: Text = Field(description="who they are there: `sub`, or the assertion's subject")
    groups: Some[Text] = Field(description="what groups they have when they answer from Slack")


class SlackTeam(Section):
    slack: Team = Field(description="the workspace")
    secret: Credential = Field(description="the Slack app's signing secret")
    people: Annotated[dict[Member, SlackPerson], Field(min_length=1), Says("member id: mapping")] = Field(
        description="who answers from there"
    )


Webhooks = Annotated[Many[Webhook], Field(max_length=16)]
Teams = Annotated[Many[SlackTeam], Field(max_length=16)]


def faults(policy: dict[str, Any]) -> Iterator[tuple[Path, str]]:
    """What must hold between the parts; of plain values, as `checks.faults`."""
    yield from _unique(policy, "webhooks", "name")
    yield from _unique(policy, "approvers_from", "slack")
    for path, hook in _items(policy, "webhooks"):
        standard = hook.get("format", "standard") == "standard"
        if standard and "secret" not in hook:
            yield path, "needs `secret`: without its signature nobody knows whose word it is"
        if not standard and "secret" in hook:
            yield (*path, "secret"), "means nothing here: Slack checks no signature"
    issuers = _named(policy, "issuers", "issuer") | _named(policy, "saml", "entity_id")
    for path, team in _items(policy, "approvers_from"):
        people = team.get("people")
        for member, person in people.items() if isinstance(people, dict) else ():
            issuer = person.get("issuer") if isinstance(person, dict) else None
            if isinstance(issuer, str) and issuer and issuer not in issuers:
                yield (*path, "people", member, "issuer"), f"unknown issuer {quoted(issuer)}{meant(issuer, issuers)}"


def hints(policy: Policy) -> Iterator[str]:
    """Sentences about people who can press what they like in Slack: no rule names a role that they have there."""
    named = {role for rule in policy.rules for role in rule.approvers}
    for team in policy.approvers_from:
        for member, person in team.people.items():
            if policy.roles_of(person.groups).isdisjoint(named):
                yield f"approvers_from[{team.slack}].people.{member}: has no role that approves anything"


def _items(policy: dict[str, Any], section: str) -> Iterator[tuple[Path, dict[str, Any]]]:
    items = policy.get(section)
    for place, item in enumerate(items if isinstance(items, list | tuple) else ()):
        if isinstance(item, dict):
            yield (section, place), item


def _named(policy: dict[str, Any], section: str, key: str) -> set[str]:
    return {item[key] for _, item in _items(policy, section) if isinstance(item.get(key), str)}


def _unique(policy: dict[str, Any], section: str, key: str) -> Iterator[tuple[Path, str]]:
    seen: set[str] = set()
    for place, item in _items(policy, section):
        name = item.get(key)
        if isinstance(name, str) and name in seen:
            yield (*place, key), f"{quoted(name)} stands twice"
        elif isinstance(name, str):
            seen.add(name)

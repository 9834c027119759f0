"""`webhooks` and `approvers_from`: what they may say, and in which words it is told where they do not."""

import pytest

from phigate.policy.notify import EVENTS, hints
from tests import policies
from tests.policies import policy

PAGER = "{name: pager, url: 'https://example.org/hook', secret: env:PAGER}"
KAI = "{issuer: https://idp.example, id: kai, groups: [privacy]}"


def team(slack="T12", member="U12", person=KAI):
    return f"{{slack: {slack}, secret: env:S, people: {{{member}: {person}}}}}"


def hooks(*entries):
    return "webhooks: [" + ", ".join(entries) + "]\n"


def teams(*entries):
    return "approvers_from: [" + ", ".join(entries) + "]\n"


def test_a_webhook_is_told_of_everything_and_shown_nothing_unless_it_says_so():
    (hook,) = policy(tail=hooks(PAGER)).webhooks
    assert (hook.name, hook.format, hook.events, hook.prompt) == ("pager", "standard", EVENTS, False)


def test_a_workspace_maps_its_members_to_people():
    (one,) = policy(tail=teams(team("T024BE7LD", "U024BE7LH"))).approvers_from
    assert (one.people["U024BE7LH"].id, one.people["U024BE7LH"].groups) == ("kai", ("privacy",))


FAULTS = [
    (hooks("{name: a, url: 'https://example.org'}"), "webhooks[a]: needs `secret`"),
    (hooks("{name: a, url: 'https://example.org', secret: env:S, format: slack}"), "webhooks[a].secret: means nothing"),
    (hooks("{name: a, url: 'http://example.org', secret: env:S}"), "webhooks[a].url: must be an https URL"),
    (hooks("{name: a, url: 'https://u:p@example.org', secret: env:S}"), "webhooks[a].url: must be an https URL"),
    (hooks("{name: a, url: 'https://hooks.slack.com/x', format: slack}"), "webhooks[a].url: is itself a secret"),
    (hooks("{name: a, url: 'env:not a name', format: slack}"), "webhooks[a].url: must be `env:NAME`"),
    (hooks("{name: a, url: env:A, secret: whsec_AAAA}"), "webhooks[a].secret: must be `env:NAME`"),
    (hooks("{name: a, url: env:A, secret: env:S, events: [ticket.open]}"), "unknown event `ticket.open`"),
    (hooks("{name: a, url: env:A, format: slak}"), "unknown format `slak`"),
    (hooks(PAGER, PAGER), "webhooks[pager].name: `pager` stands twice"),
    (teams(team("here")), "is not the id of a Slack workspace"),
    (teams(team(member="kai")), "is not the id of a Slack member"),
    (teams("{slack: T12, secret: env:S, people: {}}"), "approvers_from[0].people"),
    (teams(team(), team()), "`T12` stands twice"),
    (
        teams(
            "{slack: T12, secret: env:S, people: {U12: {issuer: https://other.example, id: kai, groups: [privacy]}}}"
        ),
        "unknown issuer `https://other.example`",
    ),
]


@pytest.mark.parametrize(("tail", "fault"), FAULTS, ids=[fault for _, fault in FAULTS])
def test_a_fault_is_told_in_words(tail, fault):
    (said,) = [each for each in policies.faults(policies.text(tail=tail)) if fault in each]
    assert "u:p" not in said
    assert "AAAA" not in said


def test_it_is_said_of_whoever_presses_for_nothing():
    ask = "{name: ask, hold: [clinician], to: [chat], models: ['*'], mask: lean, approvers: [officer]}"
    assert list(hints(policy(ask, tail=teams(team())))) == []
    lab = team(person=KAI.replace("privacy", "lab"))
    said = ["approvers_from[T12].people.U12: has no role that approves anything"]
    assert list(hints(policy(ask, tail=teams(lab)))) == said

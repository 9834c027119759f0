"""Messages for Slack: within its limits, and with nothing in them that a stranger could make it do."""

import re

import pytest

from phigate.approval import blocks
from phigate.approval.notices import told
from phigate.policy.notify import EVENTS
from tests.ledger.tickets import NOW, ticket
from tests.policies import policy

POLICY = policy(tail="webhooks: [{name: chat, url: env:U, format: slack, prompt: true}]\n")
EVIL = "<!channel> & <https://evil.example|Approve> *bold*\n"


def made(*, buttons=True, console="https://console.example", **shown):
    plain = {"model": "llama3", "call": {"route": "r", "method": "POST", "target": "/x"}, "prompt": "p"}
    about = ticket(subject=("https://idp.example", EVIL), shown=plain | shown)
    return blocks.message("ticket.opened", told(POLICY.webhooks[0], POLICY, console, about, NOW), buttons=buttons)


def texts(value):
    """Every text object of a message."""
    if isinstance(value, dict):
        if value.get("type") in {"plain_text", "mrkdwn"}:
            yield value
        for each in value.values():
            yield from texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from texts(each)


def test_what_strangers_wrote_stays_text():
    message = made(justification=EVIL, prompt={"messages": [EVIL]})
    assert {each["type"] for each in texts(message)} == {"plain_text"}
    for each in (message["text"], *(each["text"] for each in texts(message))):
        assert "<" not in each
        assert "& " not in each
    assert any("&lt;!channel&gt; &amp; " in each["text"] for each in texts(message))


def test_nothing_invisible_changes_how_it_is_read():
    message = made(justification="ok \u202edesrever\u202c \x1b[31m", model="a\nApprovals: 9 of 9")
    said = [each["text"] for each in texts(message)]
    assert "Why: ok \ufffddesrever\ufffd \ufffd[31m" in said
    assert "Model: a Approvals: 9 of 9" in said


@pytest.mark.parametrize("stuff", ["x", "&", "<", "\u20ac"])
def test_texts_are_cut_to_what_slack_takes_and_never_within_an_escape(stuff):
    message = made(justification=stuff * 5000, model=stuff * 5000)
    for block in message["blocks"]:
        most = 2000 if "fields" in block else 3000 if block["type"] == "section" else 150
        for each in texts(block):
            assert len(each["text"]) <= most
            assert not re.search("&(?!amp;|lt;|gt;)", each["text"])
    assert len(message["blocks"]) <= 50
    assert all(len(block.get("fields", ())) <= 10 for block in message["blocks"])
    assert blocks._cut(stuff * 9, 12).endswith("\u2026") is (len(blocks.escaped(stuff)) > 1)


@pytest.mark.parametrize("prompt", ["<" * 2900, {"messages": ["x" * 3000]}])
def test_nobody_is_shown_the_beginning_of_a_prompt(prompt):
    said = [each["text"] for each in texts(made(prompt=prompt))]
    assert "The prompt is too long to be shown here." in said
    assert not [each for each in said if "x" * 20 in each or "&lt;" * 20 in each]


def test_a_button_says_which_ticket_it_is_about_and_what_a_yes_gives():
    (actions,) = [block["elements"] for block in made()["blocks"] if block["type"] == "actions"]
    yes, no, look = actions
    assert [each["action_id"] for each in actions] == [blocks.APPROVE, blocks.REJECT, blocks.OPEN]
    assert (yes["value"], no["value"], look["url"]) == ("t-1", "t-1", "https://console.example/tickets/t-1")
    assert yes["confirm"]["text"]["text"] == "It gives this very request, once, for 10 minutes."
    assert not [block for block in made(buttons=False, console=None)["blocks"] if block["type"] == "actions"]


def test_every_event_has_its_heading():
    assert set(blocks._HEADS) == set(EVENTS)


def test_a_reply_is_for_one_or_for_all():
    assert blocks.reply("<a>") == {"text": "&lt;a&gt;", "response_type": "ephemeral", "replace_original": False}
    assert blocks.reply("done", everybody=True) == {"text": "done", "replace_original": True}

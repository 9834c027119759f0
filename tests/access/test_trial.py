"""A policy on trial: what it would have said stands in the record; whatever breaks in it is told in one word."""

import pytest

from phigate.access.trial import guarded, tried
from phigate.exchange import Subject
from phigate.policy.decide import PromptFacts
from phigate.policy.masks import REDACT
from phigate.policy.targets import Unknown
from phigate.policy.verdict import Verdict
from tests import policies

CARE = "{name: care, permit: [clinician], to: [chat], models: ['*'], mask: lean}"
LOOSE = "{name: care, permit: [clinician], to: [chat], models: ['*'], mask: reveal}"
BLIND = "{name: care, permit: [clinician], to: [chat], models: ['*'], mask: lean, prompt: years}"
NOTES = "{name: notes, deny: ['*'], to: [chat], when: {prompt_matches: [secret]}}"
ASK = "{name: ask, hold: [clinician], to: [chat], models: ['*'], mask: lean, approvers: [officer]}"
ADA = Subject("https://idp.example", "ada", ("ward",), frozenset({"whatever"}), 0.0)
NOON = 1_795_694_400.0
"""Thursday, 2026-11-26T12:00Z."""
LEAN = policies.policy(CARE).masks["lean"]
REAL = Verdict("permit", "care", None, LEAN)


def ask(*rules, real=REAL, subject=ADA, texts=(), target=None, readable=True, **more):
    policy = policies.policy(*rules, **more)
    return tried(
        policy,
        real,
        subject=subject,
        actions=frozenset({"chat"}),
        meant=target or (lambda of: of.resolve("m")),
        facts=PromptFacts(texts=texts),
        readable=readable,
        steers=False,
        now=NOON,
    )


def test_the_same_policy_differs_in_nothing():
    said = ask(CARE)
    assert said.pop("policy") == policies.policy(CARE).sha256
    assert said == {"verb": "permit", "rule": "care", "reason": None, "differs": []}


@pytest.mark.parametrize(
    ("rules", "more", "differs"),
    [
        ([CARE, NOTES], {"texts": ("a secret",)}, ["newly-denied"]),
        ([CARE, NOTES], {"texts": ("a note",)}, []),
        ([CARE, ASK], {}, ["newly-held"]),
        ([CARE], {"real": Verdict("deny", None, "no-rule")}, ["newly-permitted"]),
        ([CARE], {"real": Verdict("hold", "ask", "approval-required")}, ["newly-permitted", "no-longer-held"]),
        ([CARE], {"readable": False}, ["newly-denied"]),
        ([CARE], {"target": lambda _: Unknown()}, ["newly-denied"]),
        ([CARE], {"subject": Subject("https://other.example", "ada", ("ward",), frozenset(), 0.0)}, ["newly-denied"]),
        ([CARE], {"roles": "roles: {clinician: [icu], officer: [privacy]}\n"}, ["newly-denied"]),
        ([LOOSE], {}, ["newly-shown"]),
        ([BLIND], {}, ["newly-hidden"]),
        ([CARE], {"real": Verdict("permit", "care", None, REDACT)}, ["masked-otherwise"]),
    ],
)
def test_what_differs_is_said_in_the_words_of_changes(rules, more, differs):
    assert ask(*rules, **more)["differs"] == differs


def test_what_would_be_masked_otherwise_is_told_by_kind_and_side():
    assert ask(LOOSE)["answer"] == {"newly-shown": ["*"]}
    assert ask(BLIND)["prompt"] == {"newly-hidden": ["*"]}
    said = ask(CARE, real=Verdict("permit", "care", None, REDACT))
    assert said["answer"] == {"masked-otherwise": ["PERSON"]}
    assert "prompt" not in said


def test_a_request_that_needs_no_model_is_asked_about_without_one():
    lists = "{name: lists, permit: [clinician], to: [list-models], models: ['*']}"
    said = tried(
        policies.policy(lists),
        REAL,
        subject=ADA,
        actions=frozenset({"list-models"}),
        meant=lambda _: None,
        facts=PromptFacts(),
        readable=True,
        steers=False,
        now=NOON,
    )
    assert (said["verb"], said["rule"]) == ("permit", "lists")


def test_what_breaks_is_told_by_its_name_alone():
    def broken():
        raise RecursionError("Quartermaine")

    assert guarded(broken) == {"error": "RecursionError"}
    assert guarded(lambda: None) is None

"""Originals masked anew: what one policy shows and the other hides, whole or streamed."""

from functools import cache

import pytest

from phigate.audit.backtest.recorded import request_of
from phigate.audit.backtest.remask import Eyes, Remask, differences
from phigate.dialect.known import ROUTES
from phigate.masking.secrets import parse_secrets
from phigate.policy.decide import PromptFacts, decide
from phigate.policy.verdict import verdict
from phigate.serving import served
from phigate.sources import read_sources
from tests import policies
from tests.audit.backtest.recordings import CARE, request, said
from tests.traffic import CANARY_NAME, CANARY_TEXT, completion, events

CHAT = next(route for route in ROUTES if route.name == "openai-chat")
REVEALING = CARE.replace("lean", "reveal")
SECRETS = parse_secrets("1 " + "ab" * 32, "test")
REQUEST = request_of(request())


@cache
def seeing(rule):
    policy = policies.policy(rule)
    decision = decide(policy, policies.subject("clinician"), frozenset({"chat"}), "m", PromptFacts(), (), 0.0)
    return Eyes(policy, read_sources(policy), served(policy, policy.folder)[1], SECRETS), verdict(decision)


def answered(old, new, raw, prompt="Hello", **record):
    (old_eyes, was), (new_eyes, now) = seeing(old), seeing(new)
    remask, verdicts = Remask(old_eyes, new_eyes), (was, now)
    found, names = remask.prompt(REQUEST, CHAT, said(prompt), verdicts)
    return found, remask.answer(REQUEST, CHAT, raw, verdicts, names, {"outcome": "complete"} | record)


@pytest.mark.parametrize(
    ("raw", "record"),
    [
        (completion(), {"streamed": False}),
        (b"".join(events()), {"streamed": True}),
        (b'{"error": {"message": "%s"}}' % CANARY_TEXT.encode(), {"outcome": "refused-by-upstream"}),
    ],
)
def test_an_answer_is_masked_anew_in_each_of_its_forms(raw, record):
    _, shown = answered(CARE, REVEALING, raw, **record)
    assert shown.keys() >= {("newly-shown", entity) for entity in ("US_SSN", "MRN", "PERSON")}
    _, hidden = answered(REVEALING, CARE, raw, **record)
    assert {kind for kind, _ in hidden} == {"newly-hidden"}
    assert answered(CARE, CARE, raw, **record)[1] == {}


def test_the_prompt_is_masked_for_the_model_and_its_names_are_found_in_the_answer():
    blind = CARE.replace("mask: lean", "mask: lean, prompt: years")
    found, _ = answered(CARE, blind, completion("Hello"), prompt=CANARY_TEXT)
    assert found["newly-hidden", "US_SSN"] == 1
    _, shown = answered(CARE, REVEALING, completion("Quartermaine is stable."), prompt=f"Patient: {CANARY_NAME}")
    assert shown == {("newly-shown", "PERSON"): 1}


def test_an_answer_that_cannot_be_read_is_a_fault():
    with pytest.raises(ValueError, match="literal"):
        answered(CARE, REVEALING, b"no answer", streamed=False)


def test_differences_are_counted_by_kind():
    old, new = frozenset({"MRN:1", "MRN:2", "PERSON:3"}), frozenset({"PERSON:3", "US_SSN:4"})
    assert differences(old, new) == {("newly-shown", "MRN"): 2, ("newly-hidden", "US_SSN"): 1}

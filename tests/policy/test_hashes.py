"""What a yes was said to: an edited rule has another hash, one that says the same has the same."""

from __future__ import annotations

import pytest

from phigate.policy.checks import KEY_VERBS
from phigate.policy.hashes import rule_hash
from phigate.policy.schema import Rule
from tests.policies import policy

ASK = (
    "{name: ask, hold: [clinician, researcher], to: [chat, unmask], models: [m, n], mask: lean, prompt: years,"
    " approvers: [officer], approvals: 2, grant: {for: PT30M, uses: 3}, justification: required,"
    " when: {prompt_matches: [note, list]}, message: Ask., purpose: research, wait: PT1M}"
)
MODELS = "models: {m: {url: 'http://10.0.0.1:80', names: [llama]}, n: {grpc: 'grpc://10.0.0.2:81'}, o: {}}\n"
MASKS = "masks: {lean: {PERSON: surrogate, OTHER: redact}, years: {DATE_TIME: year, OTHER: redact}}\n"


def of(rule: str = ASK, **more: str) -> str | None:
    return rule_hash(policy(rule, **{"tail": MODELS, "masks": MASKS} | more), "ask")


EDITS = [
    ("clinician, researcher", "clinician"),
    ("hold: [clinician, researcher]", "hold: ['*']"),
    ("to: [chat, unmask]", "to: [chat]"),
    ("models: [m, n]", "models: [m]"),
    ("models: [m, n]", "models: ['*']"),
    ("mask: lean", "mask: reveal"),
    ("mask: lean", "mask: years"),
    (" prompt: years,", ""),
    (" prompt: years,", " prompt: years, restore: true,"),
    ("approvers: [officer]", "approvers: [officer, researcher]"),
    ("approvals: 2", "approvals: 1"),
    ("for: PT30M", "for: PT31M"),
    ("uses: 3", "uses: 4"),
    ("uses: 3", "uses: 3, bind: request"),
    ("uses: 3", 'uses: 3, hours: {from: "07:00", to: "19:00", zone: UTC}'),
    (" justification: required,", ""),
    ("[note, list]", "[note]"),
    ("message:", "opaque: permit, message:"),
    ("message:", "steering: permit, message:"),
    ("message:", 'hours: {from: "07:00", to: "19:00", zone: UTC}, message:'),
]


@pytest.mark.parametrize(("was", "now"), EDITS, ids=str)
def test_an_edited_rule_has_another_hash(was: str, now: str) -> None:
    assert was in ASK
    assert of(ASK.replace(was, now)) != of()


ELSEWHERE = [
    ("a mask that it names is looser", {"masks": MASKS.replace("PERSON: surrogate", "PERSON: keep")}),
    ("a mask that it names keeps more", {"masks": MASKS.replace("surrogate", "{keep-last: 2}")}),
    ("a mask that it names is of another scope", {"masks": MASKS.replace("year,", "year, scope: organisation,")}),
    ("a model that it names stands elsewhere", {"tail": MODELS.replace("10.0.0.1", "10.0.0.9")}),
    ("a model that it names stands elsewhere for gRPC", {"tail": MODELS.replace("10.0.0.2", "10.0.0.9")}),
]


@pytest.mark.parametrize(("sentence", "more"), ELSEWHERE, ids=[case[0] for case in ELSEWHERE])
def test_what_it_names_is_part_of_it(sentence: str, more: dict[str, str]) -> None:
    assert of(**more) != of()


SAME = [
    ("what people read", ASK.replace("Ask.", "Please ask.").replace("purpose: research, wait: PT1M", "wait: PT2M"), {}),
    ("the order of its lists", ASK.replace("chat, unmask", "unmask, chat").replace("[m, n]", "[n, m]"), {}),
    ("what stands there as the default", ASK.replace("message:", "opaque: never, steering: never, message:"), {}),
    ("a duration in other words", ASK.replace("PT30M", "PT1800S"), {}),
    ("models that it does not name", ASK, {"tail": MODELS.replace("o: {}", "o: {url: 'http://10.0.0.3:80'}")}),
    ("another name of a mask", ASK.replace("lean", "thin"), {"masks": MASKS.replace("lean", "thin")}),
    ("the order of a mask", ASK, {"masks": MASKS.replace("PERSON: surrogate, OTHER: redact", "OTHER: redact, PERSON: surrogate")}),  # noqa: E501 -- one case, one line
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "rule", "more"), SAME, ids=[case[0] for case in SAME])
def test_what_changes_nothing_leaves_the_hash(sentence: str, rule: str, more: dict[str, str]) -> None:
    assert of(rule, **more) == of()


def test_a_grant_that_is_left_out_is_the_one_that_it_stands_for() -> None:
    plain = "{name: ask, hold: [clinician], to: [unmask], models: ['*'], mask: lean, approvers: [officer]}"
    said = plain.replace("mask: lean", "mask: lean, grant: {uses: 1, bind: request}")
    assert of(plain) == of(said)


def test_only_rules_that_hold_have_one() -> None:
    made = policy("{name: all, permit: ['*'], to: [list-models], models: ['*']}")
    assert rule_hash(made, "all") is None
    assert rule_hash(made, "none") is None


def test_every_key_that_means_something_in_a_hold_is_read_or_only_for_people() -> None:
    every = {field.alias or name for name, field in Rule.model_fields.items()}
    elsewhere = {key for key, verbs in KEY_VERBS.items() if "hold" not in verbs} | {"permit", "deny", "break_glass"}
    edited = " ".join(f"{was} {now}" for was, now in EDITS) + " when: name: grant:"
    assert {key for key in every - elsewhere if f"{key}:" not in edited} == {"purpose", "wait"}


def test_it_is_the_same_on_every_machine_and_stays_what_it_is() -> None:
    """Grants in ledgers hold it: with another one every yes that anybody gave counts for nothing."""
    assert of() == "ef9255e0fb7b0b3b16f1e514e611105f0d5b2e69cc3284253e980b9a53edb25b"

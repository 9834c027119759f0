"""Sentences that say what a policy must answer."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from phigate.policy.cases import CaseResult, run_cases
from phigate.policy.load import PolicyFaults, load_policy
from tests.policies import SHIPPED, policy

SHIPPED_CASES = SHIPPED.parent / "cases" / "policy.yaml"

OF = policy(
    "{name: care, permit: [clinician], to: [chat, embed], models: [ward], mask: lean, prompt: years}",
    "{name: names, permit: ['*'], to: [list-models], models: ['*']}",
    "{name: see, hold: [clinician], to: [unmask], models: ['*'], approvers: [officer], mask: reveal}",
    "{name: lists, deny: ['*'], to: [chat], when: {prompt_matches: ['list all']}}",
    "{name: sos, break_glass: [clinician], to: [chat], models: [ward], mask: reveal, review_by: [officer]}",
    tail="models: {ward: {names: ['llama3*']}}\n",
)

RIGHT = """\
- clinician chats with ward: permit care masked by lean prompt masked by years
- clinician chats with llama3:8b: permit care
- clinician and officer embeds with ward: permit
- clinician completes with ward: deny no-rule
- officer lists models: permit names
- stranger lists models: deny no-rule
- clinician unmasks ward: hold see
- clinician unmasks ward: hold approval-required
- clinician chats with ward saying "list all": deny lists
- clinician chats with ward saying "list all" in an emergency: deny denied
- clinician chats with ward in an emergency: break_glass sos
- officer manages ward: deny
- officer reads the journal: deny no-rule
- name: spread over two texts
  groups: [ward]
  action: [chat]
  model: ward
  prompt: [list, all]
  expect: deny lists
- {role: clinician, action: [chat, unmask], model: ward, unmask: because, expect: hold see}
- {role: [clinician], action: chat, model: ward, expect: permit, mask: lean, prompt_mask: years}
- {role: clinician, action: chat, model: ward, break_glass: help, expect: break_glass sos}
"""

# sentence, its line as the result says it
WRONG = [
    ("clinician chats with ward: deny", "expected deny, got permit care masked by lean prompt masked by years"),
    ("officer chats with ward: permit", "expected permit, got deny no-rule"),
    ("clinician chats with ward: permit names", "expected permit names, got permit care masked by lean"),
    ("clinician chats with ward: permit care masked by years", "expected permit care masked by years, got permit care"),
    ("clinician unmasks ward: hold care", "expected hold care, got hold see"),
]

FAULTY = [
    ("- nurse chats with ward: deny", "c.yaml:1: [0]: unknown role `nurse`"),
    ("- clinicain chats with ward: deny", "c.yaml:1: [0]: unknown role `clinicain`, did you mean `clinician`"),
    ("- clinician chats with wart: deny", "c.yaml:1: [0]: unknown model `wart`, did you mean `ward`"),
    (
        "- clinician talks to ward: deny",
        "c.yaml:1: [0]: `clinician talks to ward` is no sentence such as `clinician chats with ward-assistant`",
    ),
    ("- clinician chats with: deny", "c.yaml:1: [0]: `chats with` needs a model"),
    ("- officer lists models ward: deny", "c.yaml:1: [0]: `lists models` takes no model"),
    (
        "- clinician chats with ward: allow",
        "c.yaml:1: [0]: needs what is expected, as in `permit clinicians-chat`, `hold` or `deny no-rule`",
    ),
    ("- clinician chats with ward: permit cares", "c.yaml:1: [0]: unknown rule or reason `cares`, did you mean `care`"),
    ("- clinician chats with ward: permit masked by leen", "c.yaml:1: [0]: unknown mask `leen`, did you mean `lean`"),
    ("- {role: clinician, action: chat, expect: deny}", "c.yaml:1: [0]: needs `model`"),
    ("- {role: clinician, model: ward, expect: deny}", "c.yaml:1: [0]: needs `action`"),
    ("- {action: chat, model: ward, expect: deny}", "c.yaml:1: [0]: needs either `role` or `groups`"),
    (
        "- {role: officer, action: chatt, expect: deny}",
        "c.yaml:1: [0].action: unknown action `chatt`, did you mean `chat`",
    ),
    (
        "- {role: officer, action: review, expect: deny, promt: x}",
        "c.yaml:1: [0].promt: unknown key `promt`, did you mean `prompt`",
    ),
    (
        "- {role: officer, action: review, expect: deny, prompt: {a: b}}",
        "c.yaml:1: [0].prompt: must be a text or a list of texts",
    ),
    (
        "- just words",
        "c.yaml:1: [0]: must be a case, as in `clinician chats with ward-assistant: permit clinicians-chat`",
    ),
    ("", "c.yaml:1: cases: is empty"),
    ("a: b", "c.yaml:1: cases: must be a list of cases"),
    ("- &x a: b", "c.yaml:1: [0]: anchor `x` is not allowed"),
]


def test_sentences_that_hold() -> None:
    results = run_cases(OF, RIGHT, "c.yaml")
    assert [str(result) for result in results if not result.ok] == []
    assert len(results) == 17
    assert results[0] == CaseResult(
        "c.yaml:1",
        "clinician chats with ward",
        ok=True,
        expected="permit care masked by lean prompt masked by years",
        got="permit care masked by lean prompt masked by years",
    )


@pytest.mark.parametrize(("sentence", "said"), WRONG, ids=[sentence for sentence, _ in WRONG])
def test_sentences_that_do_not_hold(sentence: str, said: str) -> None:
    (result,) = run_cases(OF, f"- {sentence}\n", "c.yaml")
    assert not result.ok
    assert str(result).startswith(f"c.yaml:1: {sentence.split(': ', maxsplit=1)[0]}: {said}")


@pytest.mark.parametrize(("of", "said"), FAULTY, ids=[of or "nothing" for of, _ in FAULTY])
def test_words_that_lead_nowhere_are_faults(of: str, said: str) -> None:
    with pytest.raises(PolicyFaults) as refused:
        run_cases(OF, of, "c.yaml")
    assert said in refused.value.faults


def test_all_faults_come_at_once_with_their_lines() -> None:
    with pytest.raises(PolicyFaults) as refused:
        run_cases(OF, "- nurse chats with ward: deny\n- clinician chats with ward: maybe\n", "c.yaml")
    assert [fault.split(": ")[0] for fault in refused.value.faults] == ["c.yaml:1", "c.yaml:2"]


def test_the_shipped_policy_answers_as_its_cases_say() -> None:
    results = run_cases(load_policy(SHIPPED), SHIPPED_CASES.read_bytes(), "cases/policy.yaml")
    assert [str(result) for result in results if not result.ok] == []


TIMED = policy(
    "{name: care, permit: [clinician], to: [chat], models: [ward], mask: lean,"
    ' hours: {days: [mon, tue, wed, thu, fri], from: "07:00", to: "19:00", zone: Europe/Berlin}}',
    "{name: study, permit: [researcher], to: [chat], models: ['*'], mask: lean}",
    tail="models: {ward: {names: ['llama3*']}}\n",
)
AT = [
    "clinician chats with ward at 2026-11-25T07:00+01:00: permit care",
    "clinician chats with ward at 2026-11-25T03:00+01:00: deny no-rule",
    'clinician chats with ward saying "hello at 7" in an emergency at 2026-11-25T19:00:00+01:00: deny no-rule',
    "{role: clinician, action: chat, model: ward, at: 2026-11-25T12:00Z, expect: permit care}",
    "researcher chats with ward: permit study",
    "clinician lists models: deny no-rule",
    "clinician chats with ward at 2026-11-28T12:00+01:00: deny",
]
NOT_AT = [
    ("clinician chats with ward: permit", "needs a time, as in `at 2026-11-25T03:00+01:00`: `care` has hours"),
    ("clinician chats with ward at noon: permit", "`noon` is no time with its offset, as in `2026-11-25T03:00+01:00`"),
    ("clinician chats with ward at 2026-11-25T03:00: deny", "`2026-11-25T03:00` is no time with its offset"),
    ("clinician chats with ward at 0001-01-01T00:00+23:00: deny", "is no time with its offset"),
    ("{role: clinician, action: chat, model: ward, expect: permit}", "needs a time"),
    ("{role: researcher, action: chat, model: ward, at: [], expect: permit}", "must be a text"),
]


@pytest.mark.parametrize("case", AT)
def test_a_case_says_at_which_time(case: str) -> None:
    (result,) = run_cases(TIMED, f"- {case}\n", "c.yaml")
    assert result.ok


@pytest.mark.parametrize(("case", "said"), NOT_AT, ids=[case[0] for case in NOT_AT])
def test_a_case_without_a_time_is_a_fault_where_it_matters_and_so_is_what_is_no_time(case: str, said: str) -> None:
    with pytest.raises(PolicyFaults, match=re.escape(said)):
        run_cases(TIMED, f"- {case}\n", "c.yaml")


def test_every_rule_of_the_shipped_policy_has_a_case() -> None:
    shipped = load_policy(SHIPPED)
    said = Path(SHIPPED_CASES).read_text()
    named = {rule.name for rule in shipped.rules if f" {rule.name}" in said}
    assert named | {"emergency"} == {rule.name for rule in shipped.rules}

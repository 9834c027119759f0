"""What a policy is asked about a recorded request, and what is known of its prompt."""

import pytest

from phigate.audit.backtest.judge import EMERGENCY, Heard, Judge, made, patterns_of, worlds
from phigate.audit.backtest.recorded import request_of
from phigate.policy.verdict import Verdict
from tests import policies
from tests.audit.backtest.recordings import CARE, LISTS, NOW, request

SOS = "{name: sos, break_glass: [clinician], to: [chat], models: ['*'], mask: reveal, review_by: [officer]}"
OWN = "routes: [{name: triage, match: POST /predict, action: predict, model: m}]\n"
MODELS = 'models: {m: {names: ["llama*"], speaks: [openai]}, n: {speaks: [ollama]}}\n'


STRANGER = {"issuer": "https://other.example", "groups": ["ward"]}


def judged(*rules, of=None, known=None, original=None, **more):
    """The verdicts that are possible, the likely one first."""
    record, judge = of or request(), Judge(policies.policy(*rules, **more))
    question = judge.question(request_of(record), NOW)
    assert question.open is None
    past = Judge(known).question(request_of(record), NOW) if known else None
    heard = Heard(record, question.route, known=past, original=original)
    return [made(judge, question, world, heard) for world in worlds(*heard.world(patterns_of(question)))]


def words(verdicts):
    return [f"{each.verb} {each.rule or each.reason}" for each in verdicts]


@pytest.mark.parametrize(
    ("rules", "more", "said"),
    [
        ([CARE], {}, "permit care"),
        ([CARE], {"of": request(groups=["lab"])}, "deny no-rule"),
        ([CARE], {"of": request(subject=STRANGER)}, "deny issuer-unknown"),
        ([CARE], {"tail": MODELS}, "permit care"),
        ([CARE], {"tail": MODELS, "of": request(model="llama3")}, "permit care"),
        ([CARE], {"tail": MODELS, "of": request(model="n")}, "deny model-unknown"),
        ([CARE], {"tail": MODELS, "of": request(model="other")}, "deny model-unknown"),
        ([CARE, LISTS], {"of": request("list all of them")}, "deny no-lists"),
        ([CARE], {"of": request(dialect="generic", route="triage")}, "deny route-unknown"),
        ([CARE], {"of": request(dialect="generic", route="triage"), "tail": OWN}, "deny no-rule"),
        ([CARE, SOS], {"of": request(stated=["break-glass"])}, "permit sos"),
        ([CARE, SOS], {}, "permit care"),
        ([CARE], {"of": request(body={"model": "m", "messages": [], "max_tokens": 1})}, "deny steering-refused"),
        ([CARE], {"of": request(body=None, decision={"reason": "steering-refused"})}, "deny steering-refused"),
        ([CARE], {"of": request(body=None, decision={"reason": "content-unreadable"})}, "deny content-unreadable"),
    ],
)  # fmt: skip
def test_a_request_is_decided_again(rules, more, said):
    assert words(judged(*rules, **more)) == [said]


MASKED = request("list [PERSON]", findings={"PERSON": 1})
LISTING = request("list all [PERSON]", findings={"PERSON": 1})
KNOWN = policies.policy(CARE, LISTS)
PERMIT, DENY = "permit care", "deny no-lists"
UNKNOWN = [
    ("a masked prompt", {"of": MASKED}, [PERMIT, DENY]),
    ("a masked prompt that says it all the same", {"of": LISTING}, [DENY, PERMIT]),
    ("a prompt that is not kept", {"of": request(body=None)}, [PERMIT, DENY]),
    ("a prompt that is not kept and was empty", {"of": request(body=None, bytes=0)}, [PERMIT]),
    ("a masked prompt whose original is there", {"of": MASKED, "original": request("list all")["body"]}, [DENY]),
    ("a masked prompt that the policy of the time read", {"of": MASKED, "known": KNOWN}, [PERMIT]),
]


@pytest.mark.parametrize(("sentence", "more", "said"), UNKNOWN, ids=[case[0] for case in UNKNOWN])
def test_what_a_prompt_says_is_known_or_every_case_is_told(sentence, more, said):
    assert words(judged(CARE, LISTS, **more)) == said


def test_the_rules_that_matched_tell_what_the_prompt_says():
    both = "{name: both, deny: ['*'], to: [chat], when: {prompt_matches: ['list all', 'everybody']}}"
    known = policies.policy(CARE, both)
    denied = request("[PERSON]", findings={"PERSON": 1}, verb="deny", rule="both", reason="denied")
    assert words(judged(CARE, both, of=denied, known=known)) == ["deny both"]
    assert words(judged(CARE, LISTS, of=MASKED, known=known)) == ["permit care"]
    assert words(judged(CARE, LISTS, of=denied, known=known)) == ["permit care", "deny no-lists"]


def test_an_old_record_that_names_no_headers_leaves_the_emergency_open():
    record = request()
    del record["stated"]
    assert words(judged(CARE, SOS, of=record)) == ["permit care", "permit sos"]
    record["decision"] |= {"verb": "deny", "rule": "sos", "reason": "break-glass-unavailable"}
    assert words(judged(CARE, SOS, of=record)) == ["permit sos"]


def test_a_models_name_that_was_masked_cannot_be_asked_about():
    judge = Judge(policies.policy(CARE))
    assert judge.question(request_of(request(model="ward-[MRN]")), NOW).open == "model-masked"


def test_every_case_comes_once_and_the_likely_first():
    likely = {("a",): True, ("b",): False, ("c",): True}
    found = list(worlds(likely, (("a",), ("b",))))
    assert found[0] == likely
    assert len(found) == len({tuple(each.values()) for each in found}) == 4
    assert all(each["c",] for each in found)


def test_a_question_is_made_once():
    judge = Judge(policies.policy(CARE, SOS))
    assert judge.question(request_of(request()), NOW) is judge.question(request_of(request()), NOW)
    assert EMERGENCY in judge.question(request_of(request()), NOW).keys
    assert made(judge, judge.question(request_of(request()), NOW), {EMERGENCY: False}, Heard({}, None, known=None)) == (
        Verdict("permit", "care", None, judge.policy.masks["lean"])
    )

"""Recorded flows are decided again as the backtest decides records; what a stranger wrote breaks and prints nothing."""

import io
import random

import pytest
from mitmproxy.io import FlowWriter
from mitmproxy.test import tflow

from phigate.audit.flows.draw import drawing
from phigate.audit.flows.rerun import LONGEST, Rerun, plain
from phigate.host.recordings.drawn import draw
from phigate.host.recordings.recorded import metadata
from tests import policies

CARE = "{name: care, permit: [clinician], to: [chat], models: ['*'], mask: lean}"
BULK = "{name: bulk, deny: ['*'], to: [chat], when: {prompt_matches: ['(?i)list all']}}"
OLD = policies.policy(CARE, BULK)
AT = "2026-03-01T10:00:00.000000Z"


def asked(**changes):
    record = {
        "kind": "request",
        "ts": AT,
        "instance": "gw-1",
        "exchange": "ex-1",
        "subject": {"issuer": "https://idp.example", "id": "ada", "roles": ["clinician"], "groups": ["ward"]},
        "action": ["chat"],
        "model": "ward-assistant",
        "dialect": "openai",
        "method": "POST",
        "route": "openai-chat",
        "decision": {"verb": "permit", "rule": "care", "rules": ["care"], "reason": None},
        "policy": OLD.sha256,
        "findings": {},
        "identifiers": [],
        "revealed": [],
        "stated": [],
        "bytes": 40,
        "body": {"model": "ward-assistant", "messages": [{"role": "user", "content": "How is she?"}]},
    }
    return record | changes


def answered(**changes):
    record = {"kind": "response", "ts": AT, "exchange": "ex-1", "status": 200, "outcome": "complete", "mask": "lean"}
    return record | {"findings": {"PERSON": 2}, "revealed": [], "streamed": False, "body": {}} | changes


def flow_file(*exchanges):
    file = io.BytesIO()
    for records in exchanges:
        made = drawing(records)
        assert made is not None
        FlowWriter(file).add(draw(made))
    return file.getvalue()


def again(raw, policy=OLD):
    """Whether each line tells of a change, the lines, and what they came to."""
    rerun = Rerun(policy)
    got = list(rerun.lines(io.BytesIO(raw)))
    return got, rerun


def line(records, policy=OLD):
    ((told, worth),), _ = again(flow_file(records), policy)
    return told.removeprefix("2026-03-01T10:00:00Z ex-1 ada chat ward-assistant: "), worth


DENY_CARE = policies.policy("{name: shut, deny: [clinician], to: [chat]}")
SHOWN = policies.policy(CARE.replace("lean", "reveal"), BULK)
HELD = policies.policy(
    CARE,
    BULK,
    "{name: wait, hold: [clinician], to: [chat], models: ['*'], approvers: [officer], grant: {uses: 1}, mask: lean}",
)
BULKY = policies.policy(CARE, BULK.replace("list all", "smith"))
DENIED = {"verb": "deny", "rule": None, "rules": [], "reason": "no-rule"}
MASKED = {"model": "ward-assistant", "messages": [{"role": "user", "content": "How is [PERSON]?"}]}

LINES = [
    ("all is as it was", [asked(), answered()], OLD, "as-recorded", False),
    ("a rule that denies", [asked(), answered()], DENY_CARE, "newly-denied: permit care -> deny shut", True),
    ("a rule that holds", [asked(), answered()], HELD, "newly-held: permit care -> hold wait", True),
    ("a rule that permits", [asked(decision=DENIED)], OLD, "newly-permitted: deny no-rule -> permit care", True),
    (
        "a mask that hides nothing",
        [asked(), answered()],
        SHOWN,
        "newly-shown: PERSON to the caller (? -> keep)",
        True,
    ),
    (
        "a condition on what was masked",
        [asked(findings={"PERSON": 1}, body=MASKED), answered()],
        BULKY,
        "undecided: prompt-masked",
        True,
    ),
    ("a condition on what was not masked", [asked(), answered()], BULKY, "as-recorded", False),
    (
        "a request that no policy was asked about",
        [asked(decision=DENIED | {"reason": "malformed"})],
        DENY_CARE,
        "as-recorded: deny malformed",
        False,
    ),
]


@pytest.mark.parametrize(("sentence", "records", "policy", "told", "worth"), LINES, ids=[case[0] for case in LINES])
def test_a_flow_is_one_line(sentence, records, policy, told, worth):
    assert line(records, policy) == (told, worth)


def test_a_policy_that_was_in_force_tells_what_a_masked_prompt_matched():
    raw = flow_file([asked(findings={"PERSON": 1}, body=MASKED), answered()])
    held = policies.policy(CARE, BULK, "{name: more, deny: [researcher], to: [chat]}")
    other = again(raw, held)[0]
    ((told, worth),) = Rerun(held, [OLD]).lines(io.BytesIO(raw))
    assert other[0][0].endswith("undecided: prompt-masked")
    assert (told.endswith("as-recorded"), worth) == (True, False)


def test_an_original_tells_all_that_a_rule_asks():
    made = drawing([asked(findings={"PERSON": 1}, revealed=["PERSON:00"], body=MASKED)], original=True)
    assert made is not None
    file = io.BytesIO()
    FlowWriter(file).add(draw(made))
    ((told, _),), _ = again(file.getvalue(), BULKY)
    assert told.endswith("as-recorded")


def test_what_flows_come_to_is_counted():
    raw = flow_file([asked()], [asked(exchange="ex-2")], [asked(exchange="ex-3", decision=DENIED)])
    _, rerun = again(raw)
    assert (rerun.flows, rerun.changed, rerun.untold) == (3, 1, 0)
    assert rerun.summary() == [f"3 flows under policy {OLD.sha256[:12]}: 2 as-recorded, 1 newly-permitted"]


def test_nothing_comes_to_nothing():
    got, rerun = again(b"")
    assert (got, rerun.summary()) == ([], [f"0 flows under policy {OLD.sha256[:12]}: nothing to decide"])


def kept(value, **more):
    """A flow with this in its metadata, as mitmproxy writes it."""
    flow = tflow.tflow(resp=True)
    flow.metadata = {"phigate": value, **more}
    file = io.BytesIO()
    FlowWriter(file).add(flow)
    return file.getvalue()


def test_a_flow_that_no_gateway_made_is_told_apart():
    file = io.BytesIO()
    FlowWriter(file).add(tflow.tflow())
    got, rerun = again(file.getvalue())
    assert (got, rerun.changed, rerun.untold) == ([("flow 1: not-recorded", True)], 0, 1)


def test_whoever_was_not_believed_asked_no_policy():
    got, rerun = again(kept(metadata(None, None, made="live", time=1.0)))
    assert (got, rerun.changed, rerun.untold) == ([("flow 1: as-recorded (nobody)", False)], 0, 0)


def test_what_cannot_be_read_is_counted_and_the_next_is_looked_at():
    got, rerun = again(kept("x") + flow_file([asked()]) + b"999999999999:")
    assert [told for told, _ in got][::2] == ["flow 1: unreadable (metadata)", "flow 3: unreadable (too-large)"]
    assert (rerun.flows, rerun.changed, rerun.untold) == (3, 0, 2)


VALUES = [None, True, -1, 2**60, 0.5, "", "x" * 500, "\x1b[2J\r\n", [], ["clinician"], {}, {"a": [{}]}, "\u202eevil"]


def test_no_metadata_raises_anything_or_leaves_its_line():
    chance = random.Random(6)
    for _ in range(300):
        request, answer = asked(), answered()
        for record in (request, answer):
            for name in chance.sample(sorted(record), 4):
                record[name] = chance.choice(VALUES)
        for name in ("subject", "decision"):
            if isinstance(request[name], dict) and chance.random() < 0.5:
                request[name] = request[name] | {chance.choice(sorted(request[name]) or ["x"]): chance.choice(VALUES)}
        forged = metadata(request, answer, made="live", time=chance.choice([0.0, 1.5e9, 2.5e11]))
        ((told, _),), _ = again(kept(forged))
        assert told.isprintable()
        assert len(told) < 1000


def test_content_is_never_told():
    record = asked(body={"model": "m", "messages": [{"role": "user", "content": "Quartermaine"}]})
    got, rerun = again(flow_file([record, answered(body={"said": "Quartermaine"})]), DENY_CARE)
    assert "Quartermaine" not in "".join([got[0][0], *rerun.summary()])


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("ada", "ada"),
        (None, "-"),
        (7, "-"),
        ("", "-"),
        ("a\nb\x1b", "a\ufffdb\ufffd"),
        ("x" * 99, "x" * LONGEST + "..."),
    ],
    ids=repr,
)
def test_a_name_stays_short_and_in_its_line(value, shown):
    assert plain(value) == shown

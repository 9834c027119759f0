"""May they? From a flow to a decision or a refusal; who was refused before is not asked about again."""

import pytest

from phigate.access.addon import Access
from phigate.exchange import Refusal
from phigate.policy.decide import Deny, Hold, Permit
from tests.stage import asking, entered, furnished, policy_text
from tests.traffic import chat

MODELS = """\
models:
  ward-assistant: {url: "http://10.0.4.10:11434", names: ["llama3*", "both"], credential: "env:WARD_KEY"}
  ward-secure: {url: "https://models.example", names: ["secure", "bo*"]}
  ward-also: {url: "http://10.0.4.11", names: ["*th", "both*"]}
"""
IMAGE = chat() | {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}


def asked(house, flow, *roles, **more):
    passage = entered(flow, *(roles or ("clinician",)), **more)
    Access(house).request(flow)
    return passage


def test_a_permitted_request_is_read_and_decided(house):
    passage = asked(house, asking(chat(stream=True)))
    exchange = passage.exchange
    assert exchange.refusal is None
    assert isinstance(exchange.decision, Permit)
    assert (exchange.decision.rule, exchange.decision.mask.name) == ("care", "lean")
    assert (exchange.model, exchange.target, exchange.streaming) == ("ward-assistant", "ward-assistant", True)
    assert exchange.request == chat(stream=True)
    assert (passage.target_url, passage.credential) == (None, None)


def test_without_a_body_there_is_no_model_to_ask_for(house):
    passage = asked(house, asking(method="GET", path="/v1/models"), route="openai-models")
    assert passage.exchange.refusal is None
    assert (passage.exchange.model, passage.exchange.request) == (None, None)


REFUSED = [
    ("a role that no rule names", asking(), ("visitor",), 403, "no-rule"),
    ("a denied prompt", asking(chat("List all patients")), (), 403, "denied"),
    ("a form", asking(b"a=b", content_type="application/x-www-form-urlencoded"), (), 415, "content-unreadable"),
    ("compressed JSON", asking(content_encoding="gzip"), (), 415, "encoding-unsupported"),
    ("broken JSON", asking(b"{"), (), 400, "malformed"),
    ("a picture", asking(IMAGE), (), 415, "content-unreadable"),
    ("a reason that says nothing", asking(phi_unmask="x"), (), 400, "reason-missing"),
    ("a justification that cannot be shown", asking(phi_justification="a\u202eb c"), (), 400, "reason-missing"),
]


@pytest.mark.parametrize(("sentence", "flow", "roles", "status", "reason"), REFUSED, ids=[case[0] for case in REFUSED])
def test_a_refusal_names_its_reason(house, sentence, flow, roles, status, reason):
    passage = asked(house, flow.copy(), *roles)
    refusal = passage.exchange.refusal
    assert (refusal.status, refusal.reason) == (status, reason)


def test_the_emergency_header_alone_neither_opens_nor_closes(house):
    passage = asked(house, asking(phi_break_glass="code blue"))
    assert passage.reasons.break_glass == "code blue"
    assert passage.exchange.decision.rule == "care"
    assert asked(house, asking(phi_break_glass="code blue"), "visitor").exchange.refusal.reason == "no-rule"


def test_a_denied_request_keeps_what_the_record_needs(house):
    exchange = asked(house, asking(chat("List all patients"))).exchange
    assert isinstance(exchange.decision, Deny)
    assert (exchange.refusal.rule, exchange.refusal.message) == ("no-bulk", "Ask us.")
    assert exchange.request is not None


def test_asking_to_unmask_is_one_more_action(house):
    passage = asked(house, asking(phi_unmask="ward round"))
    assert passage.exchange.actions == {"chat", "unmask"}
    assert isinstance(passage.exchange.decision, Hold)
    assert passage.reasons.unmask == "ward round"


HEADS = [
    ("a head that could not be read", (404, "route-unknown"), 404, "route-unknown"),
    ("another method", (405, "method-not-allowed"), 405, "method-not-allowed"),
]


@pytest.mark.parametrize(("sentence", "fault", "status", "reason"), HEADS, ids=[case[0] for case in HEADS])
def test_a_known_caller_learns_what_was_wrong_with_the_head(house, sentence, fault, status, reason):
    flow = asking()
    passage = entered(flow, "clinician")
    passage.head_fault, passage.route = fault, None
    Access(house).request(flow)
    assert (passage.exchange.refusal.status, passage.exchange.refusal.reason) == (status, reason)


def test_no_route_is_no_way(house):
    flow = asking()
    passage = entered(flow, "clinician")
    passage.route = None
    Access(house).request(flow)
    assert passage.exchange.refusal.reason == "route-unknown"


def test_a_body_where_none_belongs_is_refused(house):
    flow = asking(method="GET", path="/v1/models")
    flow.request.content = b"{}"
    assert asked(house, flow, route="openai-models").exchange.refusal.reason == "malformed"


def test_trailers_are_refused(house):
    flow = asking()
    flow.request.trailers = type(flow.request.headers)(x="y")
    assert asked(house, flow).exchange.refusal.reason == "malformed"


def test_nobody_is_not_decided_about(house):
    flow = asking()
    passage = entered(flow)
    with pytest.raises(ValueError, match="no subject"):
        Access(house).request(flow)
    assert passage.exchange.decision is None


def test_who_was_refused_is_not_asked_about(house):
    flow = asking()
    passage = entered(flow, "clinician")
    passage.exchange.refusal = Refusal(401, "bearer-missing", "A bearer is needed.")
    Access(house).request(flow)
    assert passage.exchange.decision is None
    assert passage.exchange.refusal.reason == "bearer-missing"


def test_a_flow_that_never_entered_is_left_alone(house):
    Access(house).request(asking())


@pytest.fixture
def several(tmp_path, monkeypatch):
    """A house whose policy names its models."""
    monkeypatch.setenv("WARD_KEY", "the-models-own")
    (tmp_path / "several").mkdir()
    made = furnished(tmp_path / "several", policy_text(tail=MODELS))
    yield made
    made.journal.close("test over")


PLACES = [
    ("by a glob", "llama3:8b", "ward-assistant", (b"http", "10.0.4.10", 11434), "the-models-own"),
    ("by an exact name, over two globs", "both", "ward-assistant", (b"http", "10.0.4.10", 11434), "the-models-own"),
    ("with the port of https", "secure", "ward-secure", (b"https", "models.example", 443), None),
]


@pytest.mark.parametrize(("sentence", "name", "target", "url", "own"), PLACES, ids=[case[0] for case in PLACES])
def test_a_models_name_leads_to_its_server(several, sentence, name, target, url, own):
    passage = asked(several, asking(chat() | {"model": name}))
    assert passage.exchange.refusal is None
    assert passage.exchange.target == target
    assert (passage.target_url, passage.credential) == (url, own)


NAMES = [("nobody's", "gpt", "model-unknown"), ("two models'", "bother", "model-ambiguous")]


@pytest.mark.parametrize(("sentence", "name", "reason"), NAMES, ids=[case[0] for case in NAMES])
def test_a_name_that_is_not_one_models_is_refused(several, sentence, name, reason):
    refusal = asked(several, asking(chat() | {"model": name})).exchange.refusal
    assert (refusal.status, refusal.reason) == (404, reason)


def test_a_missing_credential_is_the_gateways_fault(several, monkeypatch):
    monkeypatch.delenv("WARD_KEY")
    refusal = asked(several, asking(chat() | {"model": "llama3"})).exchange.refusal
    assert (refusal.status, refusal.reason) == (503, "credential-missing")

"""The headers by which an answer is found again, and what they never say."""

from phigate.exchange import Exchange, Refusal
from phigate.gate import replies


def test_a_permitted_answer_names_exchange_decision_and_nothing_to_retry():
    fields = dict(replies.mark_headers(Exchange("ex-1", 0.0)))
    assert fields == {
        b"phi-exchange": b"ex-1",
        b"x-request-id": b"ex-1",
        b"phi-decision": b"permit",
        b"cache-control": b"no-store",
    }


def test_a_refusal_names_reason_and_rule():
    refusal = Refusal(
        403,
        "no-rule",
        "No.",
        rule="röntgen",
        retry_after=3,
        headers={"www-authenticate": "Bearer"},
        detail="secret detail",
    )
    exchange = Exchange("ex-1", 0.0, refusal=refusal)
    fields = dict(replies.refusal_headers(exchange, refusal))
    assert fields[b"phi-decision"] == b"deny"
    assert fields[b"phi-reason"] == b"no-rule"
    assert fields[b"phi-rule"] == b"r?ntgen"
    assert fields[b"retry-after"] == b"3"
    assert fields[b"www-authenticate"] == b"Bearer"
    assert b"x-should-retry" not in fields
    assert b"secret detail" not in b"".join(fields.values())


def test_once_the_upstream_was_contacted_nobody_should_retry():
    refusal = Refusal(503, "not-recorded", "No.")
    exchange = Exchange("ex-1", 0.0, refusal=refusal, contacted=True)
    assert dict(replies.refusal_headers(exchange, refusal))[b"x-should-retry"] == b"false"


def test_a_grpc_client_is_refused_in_its_own_words():
    refusal = Refusal(404, "route-unknown", "This gateway knows no such route.")
    fields = dict(replies.grpc_headers(Exchange("ex-1", 0.0, refusal=refusal), refusal))
    assert fields[b"grpc-status"] == b"12"
    assert fields[b"grpc-message"].startswith(b"route-unknown: ")
    assert fields[b"content-type"] == b"application/grpc"

"""The request that changes a model: asked about, then sent in earnest, once."""

import json
import socket
import threading

import pytest

from phigate.remote.call import ask, call_of, send
from phigate.remote.client import REFUSED, UNREACHABLE, USAGE, Fault
from tests.remote.fake import refusal

PATH = "/api/create"
STATED = {"phi-justification": "deploy it", "phi-deployment": "version=1, digest=9f"}
BODY = b'{"model": "ward"}'


@pytest.fixture
def call(console):
    return call_of(f"{console.url}/", f"POST {PATH}", BODY, STATED)


def fault(work, *more):
    with pytest.raises(Fault) as found:
        work(*more)
    return found.value


def test_a_question_says_that_it_is_one_and_gets_a_ticket(console, call):
    console.answers["POST", PATH] = (403, {"error": "Wait.", "code": "approval-required", "ticket": "t-1"})
    assert ask(call, "mine") == "t-1"
    (said,) = console.headers
    assert (said["phi-ask"], said["phi-deployment"], said["authorization"]) == (
        "ticket",
        "version=1, digest=9f",
        "Bearer mine",
    )
    assert console.asked == [("POST", PATH, {"model": "ward"})]


def test_in_the_error_shape_of_other_protocols_too(console, call):
    error = {"code": "approval-required", "message": "Wait.", "ticket": "t-2"}
    console.answers["POST", PATH] = (403, {"error": error})
    assert ask(call, "mine") == "t-2"


def test_what_needs_nobodys_yes(console, call):
    console.answers["POST", PATH] = (409, {"error": "Nobody has to.", "code": "nothing-to-ask"})
    assert ask(call, "mine") is None


@pytest.mark.parametrize(
    ("sentence", "status", "body", "exits"),
    [
        ("a no", 403, refusal("no-rule", "No rule."), REFUSED),
        ("a gateway that cannot settle it", 503, refusal("ledger-unavailable", "Not now."), UNREACHABLE),
        ("a ticket that is none", 403, {"error": "x", "code": "approval-required", "ticket": "../x"}, REFUSED),
        ("a server that knows no questions", 200, b'{"status": "success"}', REFUSED),
        ("no JSON", 502, b"<html>", UNREACHABLE),
        ("no end", 200, b"x" * (1 << 21), REFUSED),
    ],
)
def test_a_question_with_another_answer(console, call, sentence, status, body, exits):
    console.answers["POST", PATH] = (status, body)
    assert fault(ask, call, "mine").exits == exits


def test_in_earnest_it_tells_each_step(console, call):
    steps = [{"status": "reading\x1b[2J"}, {"status": "pulling", "completed": 5, "total": 10}, {"status": "success"}]
    console.answers["POST", PATH] = (200, b"".join(json.dumps(step).encode() + b"\n" for step in steps) + b"\n[7]\nx")
    told = []
    send(call, "mine", told.append)
    assert told == ["reading\ufffd[2J", "pulling 50%", "success"]
    assert "phi-ask" not in console.headers[0]


def test_an_empty_answer_is_well(console, call):
    console.answers["POST", PATH] = (200, b"")
    send(call, "mine", pytest.fail)
    assert len(console.asked) == 1


@pytest.mark.parametrize(
    ("sentence", "answer", "exits", "words"),
    [
        ("a step that failed", (200, b'{"status": "a"}\n{"error": "no space"}\n'), REFUSED, "no space"),
        ("a stream that was ended", (200, b'{"error": "Ended.", "code": "revoked"}'), REFUSED, "Ended. (revoked)"),
        ("a no", (403, refusal("grant-spent", "Used.")), REFUSED, "Used. (grant-spent)"),
        ("not now", (503, refusal("ledger-unavailable", "Not now.")), UNREACHABLE, "Not now."),
        ("a server's own error", (500, b"{}"), REFUSED, "not the answer of a gateway"),
        (
            "not now, when it was let through",
            (503, refusal("unrecorded", "Lost."), {"x-should-retry": "false"}),
            REFUSED,
            "Lost.",
        ),
        ("a way elsewhere, which is not followed", (307, b"", {"location": "/api/created"}), REFUSED, "elsewhere"),
        ("a line without end", (200, b"x" * (1 << 21)), REFUSED, "without end"),
        ("an answer that breaks off", (200, b'{"status": "a"}\n', {"content-length": "99"}), REFUSED, "broke"),
    ],
)
def test_in_earnest_with_another_answer(console, call, sentence, answer, exits, words):
    console.answers["POST", PATH] = answer
    found = fault(send, call, "mine", lambda _line: None)
    assert (found.exits, words in found.sentence) == (exits, True)


def test_nobody_there_is_asked_again_but_an_order_that_may_have_come_is_not():
    with socket.create_server(("127.0.0.1", 0)) as server:
        call = call_of(f"http://127.0.0.1:{server.getsockname()[1]}", "POST /x", BODY, {})

        def hang_up():
            for _ in range(2):
                server.accept()[0].close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        assert fault(ask, call, "mine").exits == UNREACHABLE
        assert fault(send, call, "mine", pytest.fail).exits == REFUSED
        thread.join()
    assert fault(send, call, "mine", pytest.fail).exits == UNREACHABLE


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("http://ai.example", "POST /x"),
        ("https://ai.example?x", "POST /x"),
        ("https://ai.example", "/x"),
        ("https://ai.example", "POST x"),
        ("https://ai.example", "POST /x\r\nHost: y"),
        ("https://ai.example", "TRACE /x"),
    ],
)
def test_what_is_no_request_is_not_sent(url, named):
    assert fault(call_of, url, named, None, {}).exits == USAGE


def test_a_request_without_a_body_has_none(console):
    console.answers["POST", "/sleep"] = (200, b"")
    send(call_of(console.url, "POST /sleep", None, {}), "mine", pytest.fail)
    assert "content-type" not in console.headers[0]

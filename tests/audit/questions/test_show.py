from __future__ import annotations

import io
from collections import Counter
from typing import Any

import orjson
import pytest
from rich.console import Console, RenderableType

from phigate.audit.questions import show
from phigate.audit.questions.sessions import Summary
from phigate.capture import approvals, record
from phigate.exchange import Exchange, Subject
from phigate.ledger.tickets import Review, Said
from phigate.policy.decide import Permit
from phigate.policy.schema import Mask, Transform
from tests.journal.samples import ASKED, POLICY, an_exchange, chained
from tests.ledger.tickets import ADA, EVE, NOW, grant_of, ticket

PERMIT = Permit("clinicians-chat", ("clinicians-chat",), Mask("m", {"OTHER": Transform("redact")}), purpose="treatment")
SECONDS = record.Seconds(total=1.25, first=0.5, upstream=1.2, gateway=0.034)


def printed(renderable: RenderableType, *, color: bool = False) -> str:
    out = io.StringIO()
    Console(file=out, width=160, force_terminal=color, color_system="truecolor" if color else None).print(renderable)
    return out.getvalue()


def an_exchange_of_two(prompt: Any = ASKED, answer: Any = "[PERSON] slept well.") -> list[dict[str, Any]]:
    exchange = an_exchange(decision=PERMIT, found_in=Counter(PERSON=1), found_out=Counter(PERSON=1, MRN=2))
    response = record.response_record(
        exchange, status=200, outcome="complete", seconds=SECONDS, mask="minimum-necessary", body=answer
    )
    rows = [("request", record.request_record(exchange, POLICY, prompt, 512)), ("response", response)]
    return [orjson.loads(line) for line in chained(rows)]  # type: ignore[arg-type]  # mypy widens the kinds to str


@pytest.mark.parametrize(
    "said",
    [
        "ada of https://idp.test", "clinician", "ward-staff", "chat, unmask of ward-assistant",
        "192.0.2.7 with openai/1",
        "POST chat-completions as openai", "bytes      512",
        "treatment", "permit", "clinicians-chat", "PERSON 1", "MRN 2, PERSON 1", POLICY, "2026-11-23 15:04:06.123 UTC",
        "user", "Summarise the stay of [PERSON].", "[PERSON] slept well.", "complete", "minimum-necessary",
        "total 1.250 s  first 0.500 s  upstream 1.200 s  gateway 0.034 s",
    ],
)  # fmt: skip
def test_an_exchange_reads_as_who_what_when_why_and_how_long(said: str) -> None:
    assert said in printed(show.exchange_view(an_exchange_of_two()))


def test_a_deployment_reads_as_which_version_and_which_run() -> None:
    run = {"commit": "9fceb02d", "pipeline": "7"}
    asked, answer = an_exchange_of_two()
    asked |= {"deployment": {"version": "2.1", "digest": "9f"}, "subject": asked["subject"] | {"context": run}}
    text = printed(show.exchange_view([asked, answer]))
    assert "commit 9fceb02d, pipeline 7" in text
    assert "2.1 9f" in text


def settled(**changes: Any) -> list[dict[str, Any]]:
    """The life of a ticket and of a use of break-glass, as their records say it; some fields of all are changed."""
    said = Said(EVE, "approve", "", NOW)
    of = ticket(said=(said,), shown={"model": "llama3", "deployment": {"version": "2.1", "digest": "9f"}})
    by = Subject(*EVE, ("privacy",), frozenset({"officer"}), 0.0, context=(("commit", "c0ffee"),))
    review = Review("ex-1", "sos", ADA, ("officer",), NOW, {}, due=NOW + 60)
    rows = [
        ("ticket", approvals.ticket_record(of, by, "192.0.2.7", "approve", comment="seen", via="slack")),
        ("grant", approvals.grant_record(grant_of(of), of, by, "192.0.2.7")),
        ("ticket", approvals.lapse_record(of, None)),
        ("break-glass", approvals.break_glass_record(Exchange("ex-1", NOW, subject=by), review)),
        ("review", approvals.review_record(review, by, "192.0.2.7", "reject", "none", via="page")),
    ]
    return [orjson.loads(line) | changes for line in chained(rows)]  # type: ignore[arg-type]  # as above


@pytest.mark.parametrize(
    "said",
    [
        "eve of https://idp.example", "192.0.2.7 by slack", "192.0.2.7 by page", "seen", "approve", "reject", "expire",
        "asked by    ada of https://idp.example", "given to  ada of https://idp.example",
        "given by  eve of https://idp.example", "chat, unmask of llama3", "version 2.1, digest 9f", "commit c0ffee",
        "due        2023-11-14T22:14:20.000Z", "review by  officer",
    ],
)  # fmt: skip
def test_a_yes_or_no_reads_as_who_by_which_way_and_what_of_whose(said: str) -> None:
    assert said in printed(show.exchange_view(settled()))
    assert "null" not in printed(show.exchange_view(settled()))


@pytest.mark.parametrize("name", ["subject", "client", "by", "for", "asked_by", "deployment", "review_by", "reason"])
@pytest.mark.parametrize("odd", [None, 5, "text", [1, {"a": None}], {"id": [1], "ip": {}, "context": 7}])
def test_a_yes_or_no_of_another_shape_is_shown_as_it_is(name: str, odd: object) -> None:
    assert "exchange" in printed(show.exchange_view(settled(**{name: odd})))


CHAT_ANSWER = {"choices": [{"index": 0, "message": {"role": "assistant", "content": "[PERSON] slept well."}}]}
CALL = {"choices": [{"message": {"role": "assistant", "content": None, "tool_calls": [{"name": "look_up"}]}}]}
PARTS = {"messages": [{"role": "user", "content": [{"type": "text", "text": "in parts"}]}]}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (CHAT_ANSWER, ["assistant", "[PERSON] slept well."]),
        (CALL, ["assistant", "look_up"]),
        (PARTS, ["user", "in parts"]),
        ({"choices": [{"text": "completed"}]}, ["completed"]),
        ({"input": ["embed this"]}, ["embed this"]),
        ({"messages": "odd"}, ["odd"]),
        ([1, 2], ["1"]),
        ("just text", ["just text"]),
    ],
)
def test_a_body_is_shown_whatever_its_shape(body: object, said: list[str]) -> None:
    text = printed(show.exchange_view(an_exchange_of_two(answer=body)))
    assert [word for word in said if word not in text] == []


HOSTILE: Any = "\x1b]0;owned\x07\x1b[2J\x9b31m\r\b\u202egnp.exe [bold red]markup[/] [link=http://x]y[/link]"


def dangers(text: str) -> set[str]:
    return {
        char for char in text if (ord(char) < 0x20 and char != "\n") or 0x7F <= ord(char) < 0xA0 or char == "\u202e"
    }


TURNS = {"messages": [{"role": HOSTILE, "content": HOSTILE}]}
ENVELOPES = [one | {"instance": HOSTILE, "ts": HOSTILE} for one in an_exchange_of_two()]
COUNTS = [Counter({HOSTILE: 1}) for _ in range(4)]
SESSION = Summary(HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE, (HOSTILE,), 1, *COUNTS)


ROW = {
    "exchange": "ex-1",
    "ts": "2026-11-23T15:04:06.123456Z",
    "actions": '["chat","unmask"]',
    "model": "ward",
    "verb": "deny",
    "reason": "no-rule",
    "rule": "r",
    "outcome": "complete",
}


@pytest.mark.parametrize(
    "renderable",
    [
        pytest.param(show.exchange_view(an_exchange_of_two(TURNS)), id="turns"),
        pytest.param(show.exchange_view(an_exchange_of_two({HOSTILE: HOSTILE})), id="another body"),
        pytest.param(show.exchange_view(ENVELOPES), id="envelope"),
        pytest.param(show.exchange_view([{"kind": HOSTILE, HOSTILE: HOSTILE, "n": [HOSTILE]}]), id="an unknown kind"),
        pytest.param(
            show.exchange_view(settled(by=[{"id": HOSTILE, "issuer": HOSTILE}], deployment={HOSTILE: HOSTILE})),
            id="yes or no",
        ),
        pytest.param(show.sessions_table([SESSION]), id="sessions"),
        pytest.param(
            show.exchanges_table([(ROW | dict.fromkeys(("exchange", "ts", "model", "rule"), HOSTILE), {HOSTILE: 1})]),
            id="a session",
        ),
    ],
)
def test_no_text_of_a_record_moves_the_terminal_or_counts_as_markup(renderable: RenderableType) -> None:
    text = printed(renderable)
    assert dangers(text) == set()
    assert "[/]" in "".join(text.split())
    assert "\x1b]" not in printed(renderable, color=True)


@pytest.mark.parametrize(
    "name", ["subject", "decision", "client", "findings", "seconds", "usage", "action", "ts", "body"]
)
@pytest.mark.parametrize("odd", [None, 5, "text", [1, {"a": None}], {"ip": [1], "verb": {}, "total": "slow"}])
def test_a_field_of_another_shape_is_shown_as_it_is(name: str, odd: object) -> None:
    assert "exchange" in printed(show.exchange_view([one | {name: odd} for one in an_exchange_of_two()]))


def test_sessions_are_a_table() -> None:
    summary = Summary(
        "session-1", "https://idp.test", "ada", "2026-11-23T15:04:05.123456Z", "2026-11-23T16:00:00.000000Z",
        ("clinician",), 3, Counter(ward=3), Counter(permit=2, deny=1), Counter(complete=2), Counter(PERSON=7),
    )  # fmt: skip
    text = " ".join(printed(show.sessions_table([summary])).split())
    for said in ("session-1", "ada", "clinician", "3", "ward 3", "deny 1, permit 2", "complete 2", "PERSON 7"):
        assert said in text


def test_no_sessions_are_an_empty_table() -> None:
    assert "session" in printed(show.sessions_table([]))


def test_the_exchanges_of_a_session_are_a_table() -> None:
    text = printed(show.exchanges_table([(ROW, {"PERSON": 2})]))
    for said in ("ex-1", "2026-11-23 15:04:06", "chat, unmask of ward", "PERSON 2", "deny because no-rule", "complete"):
        assert said in text


@pytest.mark.parametrize("width", [80, 160])
def test_the_id_of_a_session_is_in_one_piece(width: int) -> None:
    counts = [Counter({f"SOME_LONG_NAME_{n}": n for n in range(9)}) for _ in range(4)]
    session, out = "se-" + "0123456789ab" * 2, io.StringIO()
    summary = Summary(session, "https://idp.test", "ada", "2026-11-23T15:04:05Z", "2026", ("clinician",), 3, *counts)
    Console(file=out, width=width).print(show.sessions_table([summary]))
    assert session in out.getvalue()


def test_no_value_of_a_table_looks_like_two() -> None:
    at = "2026-11-23T15:04:05.123456Z"
    summary = Summary("s-1", "https://idp.test", "carol\nnurse", at, at)
    assert "carol nurse" in printed(show.sessions_table([summary]))

"""What people and programs see of a ticket, whatever strangers wrote into it."""

import io

import pytest
from rich.console import Console

from phigate.remote.view import (
    duration,
    folded,
    gives,
    left,
    moment,
    review_view,
    ticket_view,
    tickets_lines,
    tickets_table,
)
from tests.remote.documents import REVIEW, TICKET

NOW = 1_800_000_000.0
EVIL = "a\u001b[2Jb\nticket  t-9\u202e\tc[bold]d"


def drawn(table, width):
    screen = io.StringIO()
    Console(file=screen, width=width).print(table)
    return screen.getvalue()


def told(texts):
    return "\n".join(text.plain for text in texts)


def test_all_of_a_ticket_is_shown():
    assert (
        told(ticket_view(TICKET, NOW))
        == """\
ticket       t-1, pending until 2027-01-15 09:00:00Z, 1 h from now
asked by     ada (https://idp.example)
wants        chat, unmask of ward-assistant
call         POST /v1/chat/completions (openai-chat)
because      ward round
rule         see
answered by  officer
yes          1 of 2
a yes gives  one request within 30 min, this very request only
exchange     x-1
said         approve by eve (https://idp.example), 2027-01-15 07:59:00Z: seen

| user
| How is [PERSON]?"""
    )


def test_what_else_stands_in_a_ticket_is_shown_by_its_name():
    shown = {"deployment": {"version": "3", "digest": "sha256:4c1f"}, "context": {"commit": "9d2e"}, "later": 7}
    lines = told(ticket_view(TICKET | {"shown": shown}, NOW)).splitlines()
    assert "deployment   version 3, digest sha256:4c1f" in lines
    assert "context      commit 9d2e" in lines
    assert "later        7" in lines


def test_a_prompt_that_is_too_long_is_said_to_be():
    assert "The prompt is too long to be shown." in told(
        ticket_view(TICKET | {"shown": {"prompt": None, "prompt_left_out": True}}, NOW)
    )


def test_all_of_a_review_is_shown():
    assert (
        told(review_view(REVIEW))
        == """\
exchange     x-2
used by      ada (https://idp.example)
on           2027-01-15 08:00:00Z
call         POST /v1/chat/completions (openai-chat)
because      cardiac arrest
rule         emergency
signed by    officer

| user
| How is [PERSON]?"""
    )


def test_a_ticket_is_one_line_for_programs():
    (line,) = tickets_lines([TICKET])
    assert line.split("\t") == [
        *("t-1", "pending", "2027-01-15 09:00:00Z", "1 of 2", "see", "chat,unmask", "ward-assistant"),
        "ada (https://idp.example)",
    ]


def test_the_table_fits_a_terminal_of_eighty_columns():
    text = drawn(tickets_table([TICKET | {"ticket": "t-0123456789abcdef"}], NOW), 80)
    assert "t-0123456789abcdef" in text
    assert "ward-assistant" in text
    assert "rule see" in text
    assert max(map(len, text.splitlines())) <= 80


def test_what_strangers_wrote_moves_no_cursor_and_makes_no_line():
    model = TICKET | {"model": EVIL, "rule": EVIL, "asked_by": {"id": EVIL, "issuer": EVIL}}
    model |= {"said": [{"by": {}, "verdict": EVIL, "comment": EVIL, "at": EVIL}]}
    model |= {"shown": {"call": {"method": EVIL, "target": EVIL, "route": EVIL}, "unmask": EVIL, "prompt": EVIL}}
    (line,) = tickets_lines([model])
    whole = told(ticket_view(model, NOW))
    for text in (line, whole, drawn(tickets_table([model], NOW), 80), told(review_view(model))):
        assert "\u001b" not in text
        assert "\u202e" not in text
        assert "[bold]" in text
    assert line.count("\t") == 7
    assert "\n" not in line
    assert [each for each in whole.splitlines() if each.startswith("ticket ")] == [whole.splitlines()[0]]


FALSE = f"yes{' ' * 10}2 of 2"


@pytest.mark.parametrize("text", [FALSE, f"a\n{FALSE}", f"a\r\n{FALSE}", f"{'a' * 40}{FALSE}", f"{'a ' * 20}{FALSE}"])
@pytest.mark.parametrize("name", ["prompt", "justification"])
@pytest.mark.parametrize("terminal", [True, False])
def test_no_line_of_a_strangers_looks_like_one_of_the_consoles(text, name, terminal):
    screen = io.StringIO()
    where = Console(file=screen, width=40, force_terminal=terminal, color_system=None)
    asked = {"messages": [{"role": FALSE, "content": text}, {"role": f"a\n{FALSE}", "content": text}]}
    ticket = TICKET | {"shown": {name: asked if name == "prompt" else text}}
    for each in (*ticket_view(ticket, NOW), *review_view(REVIEW | {"shown": ticket["shown"]})):
        for line in folded(each, where):
            where.print(line, soft_wrap=True)
    said = [line for line in screen.getvalue().splitlines() if line.startswith("yes")]
    assert said == [f"yes{' ' * 10}1 of 2"]


HIDDEN = "".join(chr(0xE0000 + ord(each)) for each in "and list all")


@pytest.mark.parametrize("mark", [*HIDDEN, "\u200b", "\u2060", "\u00ad", "\u3164", "\ufe01", "\U000e0150", "\u2800"])
def test_what_is_not_to_be_seen_is_seen_to_be_there(mark):
    shown = {"prompt": {"messages": [{"role": "user", "content": f"a{mark}b"}]}}
    assert told(ticket_view(TICKET | {"shown": shown}, NOW)).endswith("| a\ufffdb")


PERSIAN = "\u06a9\u062a\u0627\u0628\u200c\u0647\u0627"


@pytest.mark.parametrize("text", [PERSIAN, "\u2764\ufe0f", "\U0001f469\u200d\u2695\ufe0f"])
def test_what_scripts_and_emoji_need_stays(text):
    shown = {"prompt": {"messages": [{"role": "user", "content": text}]}}
    assert told(ticket_view(TICKET | {"shown": shown}, NOW)).endswith(f"| {text}")


@pytest.mark.parametrize("document", [{}, dict.fromkeys(TICKET, 7), dict.fromkeys(TICKET), {"until": "soon"}])
def test_a_console_that_says_something_else_breaks_nothing(document):
    odd = document | {"said": None}
    assert told(ticket_view(odd, NOW))
    assert told(review_view(odd))
    assert list(tickets_lines([odd]))
    assert drawn(tickets_table([odd], NOW), 80)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (59.9, "59 s"),
        (1800, "30 min"),
        (5400, "1 h 30 min"),
        (604_800, "7 d"),
        (90_061, "1 d 1 h"),
        ("x", "?"),
    ],
)
def test_a_span_is_told_in_its_largest_units(seconds, words):
    assert duration(seconds) == words


def test_what_a_yes_gives_is_said_in_words():
    assert gives({"seconds": 1800, "uses": None, "bound": False}) == (
        "any number of requests within 30 min, what was asked for, with whatever text"
    )
    assert gives({"seconds": 60, "uses": 3, "bound": True}) == "3 requests within 1 min, this very request only"
    assert gives({"seconds": 60, "uses": 1, "bound": True, "hours": "07:00-19:00 UTC"}) == (
        "one request within 1 min, this very request only, at these hours: 07:00-19:00 UTC"
    )


def test_times_are_told_in_utc_and_what_is_over_is_not_said_to_last():
    assert moment(NOW) == "2027-01-15 08:00:00Z"
    assert moment(1e300) == moment(None) == "?"
    assert left(TICKET | {"state": "revoked"}, NOW) == left(TICKET, NOW + 1e6) == "until 2027-01-15 09:00:00Z"

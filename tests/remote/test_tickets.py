"""`phigate tickets`: what is asked of the console, what is told, and how it ends."""

import json
import os
import pty
import subprocess
import sys

import pytest

from phigate.options import ROOT
from tests.command import imported, phigate
from tests.remote.documents import REVIEW, TICKET
from tests.remote.fake import refusal

MINE = b"eyJ.mine.sig\n"
SHOW, YES = ("GET", "/tickets/t-1"), ("POST", "/tickets/t-1/approve")


@pytest.fixture
def tickets(console, tmp_path, monkeypatch):
    file = tmp_path / "bearer"
    file.write_bytes(MINE)
    monkeypatch.setenv("PHIGATE_CONSOLE", console.url)
    console.answers |= {
        ("GET", "/tickets"): (200, {"tickets": [TICKET]}),
        ("GET", "/reviews"): (200, {"reviews": [REVIEW]}),
        SHOW: (200, TICKET),
        YES: (200, TICKET | {"state": "approved", "approvals": {"needed": 2, "given": 2}}),
    }
    return lambda *words: phigate("tickets", *words, "--token-file", file)


def asked(console):
    return [(method, path, said) for method, path, said in console.asked]


def test_without_a_word_it_lists(console, tickets):
    done = tickets()
    assert (done.exit_code, tickets("list").stdout) == (0, done.stdout)
    assert done.stdout.split("\t")[:2] == ["t-1", "pending"]
    assert asked(console) == [("GET", "/tickets", None)] * 2


def test_nothing_that_waits_is_told_beside_the_list(console, tickets):
    console.answers["GET", "/tickets"] = (200, {"tickets": []})
    done = tickets()
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", "nothing waits for you\n")


def test_what_is_new_is_told_once_until_somebody_stops_it(console, tickets, monkeypatch):
    down = (503, refusal("unavailable", "This cannot be settled at the moment."))
    other = (200, {"tickets": [TICKET, TICKET | {"ticket": "t-2"}]})
    turns = [other, down, down, (200, {"tickets": [TICKET]}), down]

    def slept(seconds):
        assert seconds == 3.0
        if not turns:
            raise KeyboardInterrupt
        console.answers["GET", "/tickets"] = turns.pop(0)

    monkeypatch.setattr("phigate.remote.tickets.time.sleep", slept)
    done = tickets("--watch")
    assert done.exit_code == 130
    assert [line.split("\t")[0] for line in done.stdout.splitlines()] == ["t-1", "t-2"]
    assert done.stderr == "This cannot be settled at the moment. (unavailable)\n" * 2
    turns.append((401, refusal("bearer-refused", "The bearer is not believed.")))
    assert tickets("--watch").exit_code == 1


def test_one_is_shown(tickets):
    done = tickets("show", "t-1")
    assert done.exit_code == 0
    assert "a yes gives  one request within 30 min, this very request only\n" in done.stdout
    assert done.stdout.endswith("| user\n| How is [PERSON]?\n")


@pytest.mark.parametrize("words", [["list"], ["show", "t-1"], ["reviews"]])
def test_programs_get_what_the_console_said(console, tickets, words):
    said = {"list": {"tickets": [TICKET]}, "show": TICKET, "reviews": {"reviews": [REVIEW]}}[words[0]]
    assert json.loads(tickets(*words, "--json").stdout) == said


def test_a_yes_is_said_once_the_ticket_was_shown(console, tickets):
    done = tickets("approve", "t-1", "--yes", "--comment", "seen")
    assert done.exit_code == 0
    assert done.stdout.index("How is [PERSON]?") < done.stdout.index("approved: one request within 30 min")
    assert asked(console) == [(*SHOW, None), (*YES, {"comment": "seen"})]


def test_a_yes_that_is_not_the_last_says_what_is_missing(console, tickets):
    console.answers[YES] = (200, TICKET)
    assert tickets("approve", "t-1", "--yes").stdout.endswith("pending: 1 of 2 said yes\n")


def test_for_programs_what_is_approved_is_shown_beside_the_answer(tickets):
    done = tickets("approve", "t-1", "--yes", "--json")
    assert json.loads(done.stdout)["state"] == "approved"
    assert "How is [PERSON]?" in done.stderr


def test_where_nobody_can_be_asked_nothing_is_approved(console, tickets):
    done = tickets("approve", "t-1")
    assert (done.exit_code, done.stderr) == (2, "nobody can be asked here: --yes says yes to what was shown\n")
    assert asked(console) == [(*SHOW, None)]


def test_what_does_not_wait_is_not_approved(console, tickets):
    console.answers[SHOW] = (200, TICKET | {"state": "expired"})
    done = tickets("approve", "t-1", "--yes")
    assert (done.exit_code, done.stderr) == (1, "This ticket is not waiting any more. (ticket-over)\n")
    assert asked(console) == [(*SHOW, None)]


def test_what_cannot_be_shown_is_not_approved(console, tickets):
    console.answers[SHOW] = (503, refusal("unavailable", "This cannot be settled at the moment."))
    done = tickets("approve", "t-1", "--yes")
    assert (done.exit_code, done.stderr) == (3, "This cannot be settled at the moment. (unavailable)\n")
    assert asked(console) == [(*SHOW, None)]


@pytest.mark.parametrize(
    ("key", "code", "end"), [(b"y\n", 0, b"approved: "), (b"\n", 1, b"not approved"), (b"n\n", 1, b"not approved")]
)
def test_on_a_terminal_it_takes_a_y(console, tickets, tmp_path, key, code, end):
    main, side = pty.openpty()
    program = "from phigate.remote.tickets import tickets; tickets()"
    words = [sys.executable, "-P", "-c", program, "approve", "t-1", "--token-file", str(tmp_path / "bearer")]
    environment = {"PYTHONPATH": str(ROOT / "addons"), "PHIGATE_CONSOLE": console.url, "TERM": "dumb"}
    with subprocess.Popen(words, stdin=side, stdout=side, stderr=side, env=environment) as process:
        os.close(side)
        seen = b""
        while b"[y/N]" not in seen:
            seen += os.read(main, 4096)
        assert b"How is [PERSON]?" in seen
        assert YES not in {(method, path) for method, path, _ in console.asked}
        os.write(main, key)
        try:
            while piece := os.read(main, 4096):
                seen += piece
        except OSError:  # the other side is closed
            pass
    os.close(main)
    assert (process.returncode, end in seen) == (code, True)
    assert (YES in {(method, path) for method, path, _ in console.asked}) == (code == 0)


@pytest.mark.parametrize(("verb", "state"), [("reject", "rejected"), ("revoke", "revoked")])
def test_a_no_and_taking_back_are_said_at_once(console, tickets, verb, state):
    console.answers["POST", f"/tickets/t-1/{verb}"] = (200, TICKET | {"state": state})
    done = tickets(verb, "t-1", "--comment", "not now")
    assert (done.exit_code, done.stdout) == (0, f"{state}\n")
    assert asked(console) == [("POST", f"/tickets/t-1/{verb}", {"comment": "not now"})]


def test_a_code_is_printed_alone(console, tickets):
    console.answers["POST", "/tickets/t-1/code"] = (
        200,
        {"ticket": "t-1", "code": "AAAAA-CCCCC", "until": TICKET["until"]},
    )
    done = tickets("code", "t-1")
    assert (done.exit_code, done.stdout) == (0, "AAAAA-CCCCC\n")
    assert done.stderr == "once, for this ticket, until 2027-01-15 09:00:00Z\n"
    assert json.loads(tickets("code", "t-1", "--json").stdout)["code"] == "AAAAA-CCCCC"


def test_reviews_are_shown_and_signed(console, tickets):
    assert "because      cardiac arrest\n" in tickets("reviews").stdout
    console.answers["POST", "/reviews/x-2/reject"] = (200, {"exchange": "x-2", "decision": "reject"})
    done = tickets("sign", "x-2", "--verdict", "reject", "--comment", "none")
    assert (done.exit_code, done.stdout) == (0, "signed: reject\n")
    assert asked(console)[-1] == ("POST", "/reviews/x-2/reject", {"comment": "none"})
    assert tickets("sign", "x-2", "--verdict", "perhaps").exit_code == 2
    console.answers["GET", "/reviews"] = (200, {"reviews": []})
    assert tickets("reviews").stderr == "nothing waits for your review\n"


def test_a_refusal_is_told_in_words_that_move_no_cursor(console, tickets):
    console.answers[YES] = (403, refusal("own-request", "Nobody answers\u001b[2J their own."))
    done = tickets("approve", "t-1", "--yes")
    assert (done.exit_code, done.stderr) == (1, "Nobody answers\ufffd[2J their own. (own-request)\n")


@pytest.mark.parametrize("name", ["../token", "t-1/approve", "t 1", "", "a" * 65, "t-1?x"])
def test_what_is_no_id_is_not_asked_for(console, tickets, name):
    for words in (["show", name], ["approve", name, "--yes"], ["revoke", name], ["sign", name, "--verdict", "approve"]):
        assert tickets(*words).exit_code == 2
    assert console.asked == []


@pytest.mark.parametrize("comment", ["two\nlines", "x" * 1001])
def test_a_comment_is_one_line(console, tickets, comment):
    assert tickets("approve", "t-1", "--yes", "--comment", comment).exit_code == 2
    assert console.asked == []


def test_a_bearer_is_no_word_of_the_command(console, tickets):
    assert phigate("tickets", "list", "--token", "eyJ.mine.sig").exit_code == 2
    assert console.asked == []


def test_it_waits_for_no_house():
    assert imported("phigate.remote.tickets") & {"phigate.serving", "pydantic", "lxml", "mitmproxy", "fastapi"} == set()

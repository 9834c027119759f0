"""`phigate deploy` against a console that says what a test wants; tests/live/test_deployment.py walks a real one."""

import os
import signal
import subprocess
import sys

import pytest

from phigate.options import ROOT
from phigate.remote import waiting
from phigate.remote.client import TOKEN
from tests.command import phigate
from tests.remote.fake import refusal

DIGEST = "9f" * 32
STATE = "/tickets/t-1/state"
HELD = (200, {"decision": "hold", "ticket": "t-1", "message": "Wait."})
GO = (200, {"decision": "permit", "deployment": "d-1", "receipt": "9.aa"})
YES = (200, {"state": "approved", "said": [{"by": {"id": "noor"}, "verdict": "approve", "comment": "as planned"}]})
WAITS = (200, {"state": "pending", "approvals": {"needed": 2, "given": 0}, "said": []})
CALL = ["--call", "POST /api/create"]
ASKED = (403, {"error": "Wait.", "code": "approval-required", "ticket": "t-1"})


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(waiting, "FIRST", 0.01)
    monkeypatch.setenv(TOKEN, "mine")


def answering(console, **answers):
    """`state`, `stated`, `called` and `ended`: one answer, or one after the other, the last one again and again."""
    places = {
        "state": ("GET", STATE),
        "stated": ("POST", "/deployments"),
        "called": ("POST", "/api/create"),
        "ended": ("POST", "/deployments/d-1/outcome"),
        "revoked": ("POST", "/tickets/t-1/revoke"),
    }
    for name, every in answers.items():
        left = list(every) if isinstance(every, list) else [every]
        console.answers[places[name]] = lambda _said, left=left: left.pop(0) if len(left) > 1 else left[0]


def deploy(console, *words, timeout="5"):
    named = ["--model", "ward", "--version", "2.1.0", "--digest", DIGEST, "--timeout", timeout]
    return phigate("deploy", *named, "--console", console.url, "--url", console.url, *words)


def asked(console):
    return [(method, path) for method, path, _ in console.asked]


def test_a_statement_runs_its_command_after_the_yes_and_says_how_it_ended(console, tmp_path):
    answering(console, stated=[HELD, GO], state=[WAITS, YES], ended=(200, {}))
    made = deploy(console, "--", "sh", "-c", f"echo $PHIGATE_TICKET > {tmp_path}/ran; exit 4")
    assert made.exit_code == 4
    assert (tmp_path / "ran").read_text() == "t-1\n"
    assert "approve by noor: as planned" in made.stderr
    told = {"model": "ward", "version": "2.1.0", "digest": DIGEST, "receipt": "9.aa", "code": 4}
    assert console.asked[-1] == ("POST", "/deployments/d-1/outcome", told)
    assert console.asked[0][2]["justification"] == "deploy ward 2.1.0"


def test_what_needs_nobodys_yes_runs_at_once(console):
    answering(console, stated=GO, ended=(200, {}))
    assert deploy(console, "--reason", "hotfix", "--", "true").exit_code == 0
    assert asked(console) == [("POST", "/deployments"), ("POST", "/deployments/d-1/outcome")]
    assert console.asked[0][2]["justification"] == "hotfix"


def test_an_outcome_that_cannot_be_said_changes_nothing_about_it(console):
    answering(console, stated=GO, ended=(404, refusal("unknown", "No such thing.")))
    made = deploy(console, "--", "true")
    assert (made.exit_code, "could not be put on record" in made.stderr) == (0, True)


def test_a_call_is_asked_about_and_then_sent(console):
    done = (200, b'{"status": "success"}\n')
    answering(console, called=[ASKED, done], state=YES)
    assert deploy(console, *CALL).exit_code == 0
    assert asked(console) == [("POST", "/api/create"), ("GET", STATE), ("POST", "/api/create")]
    assert [each.get("phi-ask") for each in console.headers] == ["ticket", None, None]


def test_a_call_that_fails_ends_with_one(console):
    answering(console, called=[ASKED, (200, b'{"error": "no space left"}\n')], state=YES)
    made = deploy(console, *CALL)
    assert (made.exit_code, "no space left" in made.stderr) == (1, True)


def test_a_model_server_gives_the_jobs_runner_no_orders(console):
    steps = b'{"status": "::set-output name=digest::00"}\n{"error": "no space\\n::stop-commands::x"}\n'
    answering(console, called=[ASKED, (200, steps)], state=YES)
    made = deploy(console, *CALL)
    assert made.exit_code == 1
    assert [each for each in made.stderr.splitlines() if each.lstrip().startswith("::")] == []
    assert "set-output" in made.stderr


@pytest.mark.parametrize("ticket", ["t-1; reboot", "../metrics", "", None, 7, "t-1\n"])
def test_a_console_that_names_no_ticket_is_none(console, ticket):
    answering(console, stated=(200, {"decision": "hold", "ticket": ticket}))
    made = deploy(console, "--", "true")
    assert (made.exit_code, "not the answer" in made.stderr) == (122, True)
    assert asked(console) == [("POST", "/deployments")]


@pytest.mark.parametrize("odd", [{"state": []}, {"state": "rejected", "said": [7, {}, {"by": 7}, {"by": None}]}])
def test_a_console_that_says_something_odd_runs_nothing(console, odd, tmp_path):
    answering(console, stated=HELD, state=(200, odd), revoked=(200, {}))
    made = deploy(console, "--", "touch", str(tmp_path / "ran"), timeout="0")
    assert made.exit_code in {120, 121}
    assert not (tmp_path / "ran").exists()


def test_a_command_gets_what_it_calls_with(console, tmp_path):
    answering(console, called=ASKED, state=YES)
    told = 'echo "$PHIGATE_URL $PHIGATE_TICKET $PHIGATE_TOKEN"'
    assert deploy(console, *CALL, "--", "sh", "-c", f"{told} > {tmp_path}/known").exit_code == 0
    assert (tmp_path / "known").read_text() == f"{console.url} t-1 mine\n"
    assert len([each for each in asked(console) if each[1] == "/api/create"]) == 1


def test_a_bearer_that_is_over_when_the_yes_comes_is_no_failure(console):
    over = (401, {"error": "The bearer is not believed.", "code": "bearer-refused"})
    answering(console, called=[ASKED, over], state=YES)
    assert deploy(console, *CALL).exit_code == 122


ENDS = [
    ("rejected", 120, "somebody said no"),
    ("revoked", 120, "taken back"),
    ("used", 120, "used already"),
    ("expired", 121, "while the ticket was open"),
]


@pytest.mark.parametrize(("state", "code", "words"), ENDS)
@pytest.mark.parametrize("way", [[], CALL], ids=["statement", "call"])
def test_without_a_yes_nothing_runs(console, tmp_path, way, state, code, words):
    answering(console, stated=HELD, called=ASKED, state=(200, {"state": state, "said": []}))
    made = deploy(console, *way, "--", "touch", str(tmp_path / "ran"))
    assert (made.exit_code, words in made.stderr, (tmp_path / "ran").exists()) == (code, True, False)


def test_who_waits_in_vain_takes_it_back(console):
    answering(console, stated=HELD, state=WAITS, revoked=(200, {}))
    assert deploy(console, "--", "true", timeout="PT0S").exit_code == 121
    assert asked(console)[-1] == ("POST", "/tickets/t-1/revoke")


def test_a_yes_that_somebody_else_used_is_none(console, tmp_path):
    answering(console, stated=HELD, state=YES)
    assert deploy(console, "--", "touch", str(tmp_path / "ran")).exit_code == 120
    answering(console, called=ASKED, state=YES)
    assert deploy(console, *CALL).exit_code == 120
    assert not (tmp_path / "ran").exists()


REFUSED = [
    ("a no of the policy", (403, refusal("no-rule", "No rule.")), 120),
    ("a gateway that cannot settle it", (503, refusal("unavailable", "Not now.")), 122),
    ("no gateway", (200, b"<html>"), 122),
    ("a bearer that is over", (401, refusal("bearer-refused", "The bearer is not believed.")), 122),
]


@pytest.mark.parametrize(("sentence", "answer", "code"), REFUSED, ids=[case[0] for case in REFUSED])
def test_it_ends_with_a_code_of_its_own(console, sentence, answer, code):
    answering(console, stated=answer)
    assert deploy(console, "--", "true", timeout="0").exit_code == code


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "nothing to deploy"),
        (["--body", "x", "--", "true"], "--body: only with --call"),
        ([*CALL, "--body", "/no/such/file"], "no such file"),
        ([*CALL, "--reason", "für Jane"], "plain ASCII"),
        (["--call", "create"], "not a method and a path"),
        (["--timeout", "soon", "--", "true"], "--timeout"),
        (["--digest", "latest", "--", "true"], "--digest is HEX"),
        (["--version", "for Jane Roe", "--", "true"], "--version is a short name"),
        (["--timeout", "PT", "--", "true"], "--timeout"),
        (["--console", "http://c.example", "--", "true"], "not an https address"),
    ],
)
def test_what_cannot_be_asked_so_ends_with_two(console, words, said):
    made = deploy(console, *words)
    assert (made.exit_code, said in made.stderr) == (2, True)
    assert console.asked == []


@pytest.mark.parametrize(("text", "late"), [("PT1S", 1), ("PT0H0M1S", 1), ("1", 1)])
def test_a_timeout_is_a_duration_or_seconds(console, monkeypatch, text, late):
    ends = []

    def patient(end):
        ends.append(end)
        return waiting.Patience(0)

    monkeypatch.setattr("phigate.remote.deploy.Patience", patient)
    monkeypatch.setattr("time.monotonic", lambda: 0.0)
    answering(console, stated=GO, ended=(200, {}))
    deploy(console, "--", "true", timeout=text)
    assert ends[0] == late


def test_who_is_told_to_leave_takes_the_request_back(console):
    answering(console, stated=HELD, state=WAITS, revoked=(200, {}))
    named = ["--model", "ward", "--version", "2.1.0", "--digest", DIGEST, "--console", console.url]
    environment = {"PYTHONPATH": str(ROOT / "addons"), "PATH": os.environ["PATH"], TOKEN: "mine", "TERM": "dumb"}
    line = [sys.executable, "-P", "-m", "phigate", "deploy", *named, "--", "true"]
    with subprocess.Popen(line, env=environment, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL) as process:
        assert process.stderr is not None
        while b"of 2 said yes" not in process.stderr.readline():
            pass
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
    assert process.returncode == 128 + signal.SIGTERM
    assert asked(console)[-1] == ("POST", "/tickets/t-1/revoke")

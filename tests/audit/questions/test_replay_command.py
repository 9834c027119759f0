import json
import os
import pty
import signal
import subprocess
import sys
import time

import pytest

from phigate.audit.questions.page import Page
from phigate.audit.questions.replay import Step
from phigate.audit.questions.replay_command import play
from phigate.options import ROOT
from tests.command import phigate, process
from tests.journal.samples import NOW, put, request, response

T = NOW.timestamp()


def stepped(*steps, **how):
    """(what was written, how long it waited before what)."""
    written, waited = [], []
    page = Page(lambda text: written.append(text.plain), 80)
    play(steps, page, sleep=waited.append, **({"speed": 1.0, "longest": 5.0} | how))
    return "".join(written), waited


ASK = Step(T, "ex-1", "caller", (("ada", ""),), (("", "How is she?"),))
PART = Step(T + 1, "ex-1", "model", said=(("", "We"),))
MORE = Step(T + 1.5, "ex-1", "model", said=(("", "ll."),), goes_on=True)
END = Step(T + 2, "ex-1", "model", (("complete", ""),), goes_on=True)
OTHER = Step(T + 1.2, "ex-2", "caller", said=(("system", "Be brief."), ("", "Who?")))


def test_each_step_has_its_time():
    text, waited = stepped(ASK, PART, MORE, END)
    assert waited == pytest.approx([1.0, 0.5, 0.5])
    assert [line.split() for line in text.splitlines() if line.strip()] == [
        ["2026-11-23", "15:04:05", "UTC"],
        ["15:04:05", "│", "How", "is", "she?"],
        ["ada", "│"],
        ["15:04:06", "the", "model", "│", "Well."],
        ["complete", "│"],
    ]


@pytest.mark.parametrize(("speed", "waits"), [(10.0, [0.1, 0.05, 0.05]), (0.5, [2.0, 1.0, 1.0]), (0.0, [])])
def test_faster_slower_and_at_once(speed, waits):
    assert stepped(ASK, PART, MORE, END, speed=speed)[1] == pytest.approx(waits)


def test_a_long_silence_is_cut_short_and_said():
    text, waited = stepped(ASK, Step(T + 8100, "ex-2", "caller", said=(("", "Better?"),)), speed=2.0)
    assert waited == [2.5]
    assert "2 hours 15 minutes later\n" in text


def test_another_exchange_is_a_turn_of_its_own():
    text, _ = stepped(ASK, PART, OTHER, MORE, END)
    turns = [line.split("│")[0].strip() for line in text.splitlines() if line.startswith("15:")]
    assert turns == ["15:04:05", "15:04:06 the model", "15:04:06", "15:04:06 the model ex-1"]
    assert "system:\n" in text


def test_a_line_at_hand_is_left_when_it_is_broken_off():
    def interrupted():
        yield ASK
        yield PART
        raise KeyboardInterrupt

    written = []
    with pytest.raises(KeyboardInterrupt):
        play(interrupted(), Page(lambda text: written.append(text.plain), 80), speed=0, longest=5)
    assert written[-1].endswith("\n")


@pytest.fixture
def journal(tmp_path):
    folder = tmp_path / "journal"
    folder.mkdir(mode=0o700)
    hostile = {"messages": [{"role": "user", "content": "How \x1b[31mis [bold]she?"}]}
    parts = [("part", {"exchange": "ex-1", "part": n, "body": text}) for n, text in enumerate(["She is ", "well."])]
    rows = [("request", request("ex-1") | {"body": hostile}), *parts, ("response", response("ex-1"))]
    put(folder, "gw-20261123T150405Z-0", *rows)
    return folder


@pytest.mark.parametrize("named", ["s1", "ex-1"])
def test_a_session_in_a_pipe_is_plain_text(journal, named):
    done = process("replay", named, "--speed", "0", "--journal", journal, COLUMNS="80")
    text = done.stdout.decode()
    assert (done.returncode, done.stderr) == (0, b"")
    assert all(
        said in text for said in ("ada", "permit r", "[31mis [bold]she?", "She is well.", "complete, status 200")
    )
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= 80


def test_the_look_is_on_record(journal):
    assert phigate("replay", "s1", "--speed", "0", "--journal", journal).exit_code == 0
    lines = [json.loads(line) for path in journal.glob("*.cli-*.jsonl") for line in path.read_text().splitlines()]
    assert [(line["command"], line["about"]) for line in lines if line["kind"] == "look"] == [
        ("replay", {"session": "s1"})
    ]


def test_an_id_that_nobody_knows(journal):
    done = phigate("replay", "ex-9", "--journal", journal)
    assert (done.exit_code, done.stdout) == (1, "")
    assert "knows no exchange" in done.stderr


def test_ctrl_c_in_a_terminal_leaves_it_as_it_was(journal):
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "phigate.cli", "replay", "s1", "--speed", "0.01", "--journal", str(journal)]
    environment = {"PYTHONPATH": str(ROOT / "addons"), "COLUMNS": "80", "TERM": "xterm"}
    running = subprocess.Popen(
        command, stdout=slave, stderr=slave, stdin=slave, env=environment, start_new_session=True
    )
    os.close(slave)
    seen, end = b"", time.monotonic() + 30
    while b"she?" not in seen and time.monotonic() < end:
        seen += os.read(master, 4096)
    running.send_signal(signal.SIGINT)
    assert running.wait(20) == 130
    while True:
        try:
            seen += os.read(master, 4096)
        except OSError:  # the other side is closed
            break
    os.close(master)
    assert b"Traceback" not in seen
    assert b"[31mis" in seen
    assert b"\x1b[31mis" not in seen
    assert b"?25l" not in seen
    assert seen.endswith(b"\n")

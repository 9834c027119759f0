import random

import pytest
from rich.cells import cell_len
from rich.text import Text

from phigate.audit.questions.page import BESIDE, RULE, Page

LEFT = BESIDE + len(RULE)


def page(width=LEFT + 21):
    written = []
    return Page(written.append, width), lambda: Text().join(written).plain


def right(text):
    return [line[LEFT:].removeprefix(" ") for line in text.splitlines() if RULE in line]


def left(text):
    return [line[:BESIDE].rstrip() for line in text.splitlines() if RULE in line]


def test_notes_stand_beside_what_is_said():
    made, text = page()
    made.note([("ada", "bold"), ("permit", "green"), ("found MRN 1", "")])
    made.say("How is she today? Is she better?")
    made.end()
    assert right(text()) == ["How is she today? Is", "she better?", ""]
    assert left(text()) == ["ada", "permit", "found MRN 1"]
    assert text().endswith("\n\n")


SAID = "one  two\n\n  indented three\nfour-and-a-word-that-is-longer-than-a-line five six 漢字漢字漢字漢字漢字漢字 end"


def test_text_is_wrapped_between_words_at_its_width():
    made, text = page()
    made.say(SAID)
    made.end()
    assert right(text()) == [
        *("one  two", "", "  indented three", "four-and-a-word-that", "-is-longer-than-a-li"),
        *("ne five six", "漢字漢字漢字漢字漢字", "漢字 end"),
    ]


@pytest.mark.parametrize("seed", range(20))
def test_pieces_come_out_as_the_whole(seed):
    chance = random.Random(seed)
    whole, text = page()
    whole.say(SAID)
    whole.end()
    cut, pieces = page()
    at = 0
    while at < len(SAID):
        size = chance.randint(1, 9)
        cut.say(SAID[at : at + size])
        at += size
    cut.end()
    assert "".join(" ".join(right(pieces())).split()) == "".join(" ".join(right(text())).split())
    assert max(cell_len(line) for line in pieces().splitlines()) <= LEFT + 21


def test_a_line_that_is_begun_is_there_at_once():
    made, text = page()
    made.say("How is she")
    assert right(text()) == ["How is"]
    made.say(" today")
    assert right(text()) == ["How is she"]
    made.break_off()
    assert text().endswith("\n")
    made.break_off()
    assert not text().endswith("\n\n")


def test_notes_that_are_longer_than_their_column_go_on():
    made, text = page()
    made.note([("found " + ", ".join(f"ENTITY_{n} {n}" for n in range(5)), ""), ("x" * 60, "")])
    made.end()
    assert left(text()) == [
        "found ENTITY_0 0, ENTITY_1",
        "1, ENTITY_2 2, ENTITY_3 3,",
        "ENTITY_4 4",
        "x" * 27,
        "x" * 27,
        "x" * 6,
    ]


def test_a_word_across_ends_the_turn():
    made, text = page()
    made.say("a")
    made.aside("2 minutes later")
    made.say("b")
    made.end()
    assert [line.strip() for line in text().splitlines()] == [
        f"{RULE.strip()} a",
        "",
        "2 minutes later",
        f"{RULE.strip()} b",
        "",
    ]


def test_nothing_said_is_nothing_written():
    made, text = page()
    made.end()
    made.break_off()
    assert text() == ""


def test_no_text_moves_the_terminal():
    made, text = page()
    hostile = "\x1b[2J\x9b1m\u202e[bold]x\r"
    made.note([(hostile, "")])
    made.say(hostile)
    made.aside(hostile)
    assert not {"\x1b", "\x9b", "\u202e", "\r"} & set(text())
    assert text().count("[bold]x") == 3

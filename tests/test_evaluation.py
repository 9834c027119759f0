"""Labelled lines through detectors, and what a person reads of it."""

import io

import orjson
import pytest
from rich.console import Console

from phigate.evaluation import run, view
from phigate.exchange import Finding
from phigate.masking.evaluate import Setting, Tally
from phigate.streams import Line


class Capitals:
    """Finds every X."""

    def find(self, text):
        return [Finding(place, place + 1, "PERSON", 0.9, "capital") for place, each in enumerate(text) if each == "X"]


def lines(*texts):
    for number, text in enumerate(texts, 1):
        if isinstance(text, bytes):
            yield Line(number, text, f"line {number}")
        else:
            spans = [{"start": p, "end": p + 1, "label": "NAME"} for p, each in enumerate(text) if each in "XY"]
            yield Line(number, orjson.dumps({"id": f"t{number}", "text": text, "spans": spans}), f"line {number}")


def evaluated(*texts, workers=1, **setting):
    told = []
    return run(lines(*texts), Capitals, Setting(**setting), told.append, workers=workers, worst=5), told


@pytest.mark.parametrize("workers", [1, 2])
def test_lines_are_judged_in_one_process_or_several(workers):
    tally, told = evaluated("a X", "a Y", "a b", b"\n", b"no", workers=workers)
    assert (tally.texts, tally.recall.hits, tally.recall.of, tally.negatives.of) == (3, 1, 2, 1)
    assert told == ["line 5: not JSON"]


def test_a_line_that_could_not_be_read_is_told():
    tally, told = evaluated()
    run([Line(3, b"", "line 3", "longer than 9 bytes")], Capitals, Setting(), told.append, workers=1, worst=1)
    assert told == ["line 3: longer than 9 bytes"]
    assert tally.texts == 0


def shown(tally):
    seen = io.StringIO()
    Console(file=seen, width=160).print(view(tally))
    return seen.getvalue()


def test_a_view_tells_shares_and_places_and_no_text():
    tally, _ = evaluated("aa X", "bb Y", "cc X")
    tally.spurious["PERSON", "capital"] = 2
    said = shown(tally)
    assert "0.6667" in said
    assert "2 of 3" in said
    assert "t2" in said
    assert "3-4" in said
    assert "bb" not in said


def test_text_is_shown_when_asked_and_cannot_move_a_cursor():
    said = shown(evaluated("[red]b\x1b[2J Y", show=True)[0])
    assert "[red]b\ufffd[2J Y" in said


def test_nothing_is_a_view_too():
    assert "0 texts" in shown(Tally())

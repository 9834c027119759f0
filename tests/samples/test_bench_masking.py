"""The benchmark of the masking room measures what it says; no figure is judged here."""

import json
import re
import sys

import pytest

from bench import masking, presidio
from bench.masking import Plan, markdown, one_by_one, stream_row, translated
from bench.texts import clinical, hostile, roster, sample, tree
from phigate.masking import DETECTORS, Detector, Detectors
from phigate.masking.patterns import opened, parse
from phigate.masking.search import Patterns


@pytest.mark.parametrize("make", [clinical, tree])
@pytest.mark.parametrize("size", [1024, 20_000])
def test_texts_have_their_size_and_identifiers(make, size):
    text = make(size)
    assert len(text) == size
    assert make(size) is text
    assert len(Detectors().find(text)) > size / 400


def test_a_roster_has_so_many_entries():
    entries = roster(1000)
    assert len(entries) == 1000
    assert {entity for entity, _ in entries} == {"PERSON", "MRN"}
    assert len(set(entries)) > 950


ROWS = DETECTORS[:: max(1, len(DETECTORS) // 12)]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_hostile_texts_come_close(row):
    kinds = dict(hostile(row, 2000))
    assert {len(text) for text in kinds.values()} == {2000}
    pattern = re.escape(sample(parse(opened(row.pattern))))
    assert re.match(pattern, kinds["whole"])


def test_a_sample_matches_its_pattern():
    row = Detector("shoe", "UNIQUE_ID", r"\b(?i:shoe|boot) {1,3}(?P<id>[A-C]\d{2,4}(?:-\d)?)\b")
    text = sample(parse(opened(row.pattern)))
    assert [hit.end - hit.begin for hit in Patterns((row,)).hits(text)] == [len("A7777-7")]


def test_every_row_is_translated_and_finds_its_samples():
    for row in DETECTORS:
        pattern = translated(row.pattern)
        text = row.hits[0].replace("[[", "").replace("]]", "") if row.hits else None
        assert text is None or pattern.search(text), row.name


def test_one_by_one_finds_what_stands_there():
    find = one_by_one(DETECTORS)
    text = "Patient: Ida Bellweather, SSN 536-22-8145"
    assert {text[start:end] for start, end, _ in find(text)} >= {"Ida Bellweather", "536-22-8145"}


def test_a_stream_is_measured():
    name, chunks, *rest = stream_row("x", Detectors(), "Patient: Ida Bellweather. " * 5)
    assert (name, int(chunks)) == ("x", len(masking.TOKENS.findall("Patient: Ida Bellweather. " * 5)))
    assert len(rest) == 7


async def test_the_longest_wait_is_seen():
    def hold():
        end = [0]
        sorted(range(3_000_000), key=lambda n: -n)
        return end

    longest, took = await masking.longest_wait(hold)
    assert 0 < longest <= took + 50


def test_a_run_prints_its_tables(capsys):
    masking.run(Plan(1, ("1 KB",), 100, 2048, rows=2, against=False, seconds=0.001))
    said = capsys.readouterr().out
    for head in (masking.SIZE_HEAD, masking.STREAM_HEAD, masking.HOSTILE_HEAD, masking.BLOCKING_HEAD):
        assert markdown(head, []).splitlines()[0] in said


def test_labelled_data_is_counted(tmp_path, capsys):
    data = tmp_path / "data.jsonl"
    spans = [{"start": 4, "end": 15, "label": "SSN"}]
    data.write_text(json.dumps({"id": "1", "text": "SSN 536-22-8145", "spans": spans}) + "\n")
    masking.run_data([str(data)], with_presidio=False)
    assert "| data.jsonl | Phigate | 1.000 (" in capsys.readouterr().out


def test_without_presidio_the_reason_is_told(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(presidio, "PLACE", tmp_path / "venv")
    monkeypatch.setattr(presidio, "PACKAGE", "no such package")
    monkeypatch.setattr(sys, "executable", "false")
    assert masking.against() is None
    assert "without Presidio: no such package could not be installed" in capsys.readouterr().err


class Echo:
    """As the other process answers."""

    def ask(self, text):
        return 0.25, [(0, len(text), "PERSON", 0.85)]

    def close(self):
        pass


def test_the_other_is_asked_as_detectors_are(monkeypatch):
    monkeypatch.setattr(masking, "Presidio", lambda _: Echo())
    (found,) = masking.Other(None).find("Ida")
    assert (found.start, found.end, found.entity) == (0, 3, "PERSON")
    assert masking.asked(Echo(), "Ida") == 0.25

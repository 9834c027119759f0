from __future__ import annotations

import io
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import orjson
import pyarrow.parquet as pq
import pytest
from rich.console import Console
from typer.testing import CliRunner

from phigate import terminal
from phigate.audit.export import command as export_command
from phigate.audit.export import feed, fhir_post, parquet
from phigate.audit.index.exchanges import Wanted
from phigate.cli import app
from phigate.journal import read
from tests.audit.export import happened
from tests.audit.export.repository import Kept, repository

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from typer.testing import Result


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "journal").mkdir()
    return happened.journal(tmp_path / "journal")


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> Iterator[Kept]:
    monkeypatch.setattr(fhir_post, "FIRST_WAIT", 0.0)
    with repository() as found:
        yield found


def run(folder: Path, format_: str, *more: str) -> Result:
    return CliRunner().invoke(app, ["export", "--journal", str(folder), "--format", format_, *more])


def looks(folder: Path) -> list[dict[str, Any]]:
    return [entry.record for entry in read.records(folder) if entry.record["kind"] == "look"]


@pytest.mark.parametrize("format_", ["fhir", "ocsf", "ecs", "csv"])
def test_it_goes_to_standard_output(folder: Path, format_: str) -> None:
    result = run(folder, format_)
    assert result.exit_code == 0, result.output
    assert len(result.stdout_bytes.splitlines()) >= 12


def test_a_file_gets_its_name_when_it_is_complete(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "export.parquet"
    result = run(folder, "parquet", "-o", str(out))
    assert result.exit_code == 0, result.output
    assert "11 rows" in result.stderr
    assert pq.read_table(out).num_rows == 11
    assert sorted(each.name for each in tmp_path.iterdir()) == ["export.parquet", "journal"]


def test_a_file_that_cannot_be_written_is_named(folder: Path, tmp_path: Path) -> None:
    result = run(folder, "csv", "-o", str(tmp_path / "nowhere" / "x.csv"))
    assert result.exit_code == 1
    assert "nowhere" in result.stderr
    assert "no such file" in result.stderr


def test_parquet_without_its_library_says_how_to_get_it(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: object) -> int:
        raise parquet.Missing("Parquet needs pyarrow: install phigate[parquet]")

    monkeypatch.setattr("phigate.audit.export.write.write_parquet", missing)
    result = run(folder, "parquet", "-o", str(tmp_path / "x"))
    assert (result.exit_code, result.stderr.strip()) == (1, "Parquet needs pyarrow: install phigate[parquet]")
    assert not (tmp_path / "x").exists()


def test_filters_filter_and_the_look_is_on_record(folder: Path) -> None:
    result = run(folder, "ecs", "--subject", "eve", "--verb", "permit", "--why", "audit 7")
    assert [orjson.loads(line)["http"]["request"]["id"] for line in result.stdout_bytes.splitlines()] == ["broke"]
    (look,) = (each for each in looks(folder) if each["command"] == "export")
    assert look["about"] == {"format": "ecs", "filters": {"subject": "eve", "verb": "permit"}}
    assert look["reason"] == "audit 7"


def test_each_filter_filters_by_what_it_is_called(folder: Path) -> None:
    names = [field.name for field in fields(Wanted) if field.name not in ("exchange", "since", "until")]
    options = [part for name in names for part in (f"--{name}", f"this-{name}")]
    assert run(folder, "csv", *options).exit_code == 0
    (look,) = (each for each in looks(folder) if each["command"] == "export")
    assert look["about"]["filters"] == {name: f"this-{name}" for name in names}


def test_times_are_as_everywhere(folder: Path) -> None:
    assert run(folder, "csv", "--since", "2026-11-24").stdout_bytes.count(b"\r\n") == 1
    assert run(folder, "csv", "--until", "2026-11-23").stdout_bytes.count(b"\r\n") == 12
    assert run(folder, "csv", "--since", "yesterday").exit_code == 2


def test_events_go_to_a_repository_once(folder: Path, kept: Kept, tmp_path: Path) -> None:
    (tmp_path / "bearer").write_text("the.bearer\n")
    state = tmp_path / "state"
    options = ("--post", kept.url, "--bearer-file", str(tmp_path / "bearer"), "--state", str(state), "--batch", "10")
    result = run(folder, "fhir", *options)
    assert result.exit_code == 0, result.output
    assert f"{len(kept.events)} created, 0 there already, 0 refused" in result.stderr
    assert {headers["authorization"] for _, headers in kept.requests} == {"Bearer the.bearer"}
    assert "the.bearer" not in result.output + state.read_text()
    before, sent = len(kept.events), len(kept.requests)
    again = run(folder, "fhir", *options)
    assert "0 created, 0 there already, 0 refused" in again.stderr
    assert (len(kept.events), len(kept.requests)) == (before, sent)


def test_what_is_refused_is_told_and_fails(folder: Path, kept: Kept) -> None:
    first = happened.happenings(folder)[0].id
    kept.entry_answers = {first: [422]}
    result = run(folder, "fhir", "--post", kept.url)
    assert result.exit_code == 1
    assert "1 refused" in result.stderr
    assert f"AuditEvent {first}: refused with status 422" in result.stderr


def test_what_could_not_be_sent_is_told_and_fails(folder: Path, kept: Kept) -> None:
    kept.answers = [503] * 100
    result = run(folder, "fhir", "--post", kept.url)
    assert result.exit_code == 1
    assert "0 created" in result.stderr
    assert "not all was sent: the repository answers 503, 6 times" in result.stderr


def test_an_exchange_that_is_under_way_waits(folder: Path, kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    (open_,) = (each for each in happened.happenings(folder) if each.row.get("exchange") == "open")
    monkeypatch.setattr(export_command.time, "time", lambda: open_.at + feed.OLD / 2)
    result = run(folder, "fhir", "--post", kept.url)
    assert "1 exchanges without their answer yet: not sent" in result.stderr
    assert open_.id not in kept.events


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("ecs", "--post", "https://audit.example"), "--post sends fhir"),
        (("fhir", "--post", "https://audit.example", "-o", "x"), "--post sends fhir, and writes no file"),
        (("fhir", "--state", "x"), "belong to --post"),
        (("fhir", "--bearer-file", "x"), "belong to --post"),
        (("csv", "--client-cert", "x"), "belong to --post"),
        (("fhir", "--post", "https://audit.example", "--client-cert", "nowhere"), "no certificate with its key"),
        (("fhir", "--post", "http://audit.example"), "not an https address"),
        (("fhir", "--post", "https://audit.example", "--state", "x", "--since", "7d"), "exclude each other"),
        (("fhir", "--post", "https://audit.example", "--bearer-file", "nowhere"), "no bearer can be read here"),
    ],
)
def test_what_does_not_go_together_is_said_and_nothing_is_looked_at(
    folder: Path, options: tuple[str, ...], said: str
) -> None:
    before = len(looks(folder))
    result = run(folder, *options)
    assert result.exit_code == 2
    assert said in result.stderr
    assert len(looks(folder)) == before


def test_a_bearer_that_would_be_two_header_lines_is_none(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "bearer").write_text("a\r\nx-other: b")
    result = run(folder, "fhir", "--post", "https://audit.example", "--bearer-file", str(tmp_path / "bearer"))
    assert (result.exit_code, "this is no bearer" in result.stderr) == (2, True)


def test_a_state_of_another_repository_is_refused(folder: Path, kept: Kept, tmp_path: Path) -> None:
    feed.write(tmp_path / "state", feed.State({"to": "https://elsewhere.example"}))
    result = run(folder, "fhir", "--post", kept.url, "--state", str(tmp_path / "state"))
    assert result.exit_code == 1
    assert "of another repository" in result.stderr
    assert not kept.requests


def test_a_bar_is_drawn_for_who_watches(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    watched = Console(file=screen, force_terminal=True, width=100)
    monkeypatch.setattr(export_command, "err", watched)
    monkeypatch.setattr(terminal, "err", watched)
    assert run(folder, "csv", "-o", str(tmp_path / "x.csv")).exit_code == 0
    assert "exporting" in screen.getvalue()
    assert "/11" in screen.getvalue()

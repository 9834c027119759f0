from datetime import timedelta

import pytest
import typer

from phigate.audit.questions import asking
from tests.journal.samples import NOW, put, request


def test_a_span_of_time():
    day = (NOW - timedelta(days=7)).timestamp()
    assert asking.span("7d", None, NOW) == (day, None)
    assert asking.span(None, "2026-11-22", NOW) == (
        None,
        NOW.replace(hour=0, minute=0, second=0, microsecond=0).timestamp(),
    )


@pytest.mark.parametrize(("option", "times"), [("--since", ("soon", None)), ("--until", (None, "soon"))])
def test_what_is_no_time_is_told_by_its_option(option, times, capsys):
    with pytest.raises(typer.Exit) as left:
        asking.span(*times)
    assert left.value.exit_code == 2
    assert capsys.readouterr().err.startswith(f"{option}: expected a time")


def test_flaws_are_told_and_the_rest_is_asked(tmp_path, capsys):
    put(tmp_path, "gw-20261123T150405Z-0", ("request", request("ex-1")), end=b"{\x1b[2J")
    with asking.asked(tmp_path) as index:
        assert [row[0] for row in index.rows("SELECT exchange FROM exchange")] == ["ex-1"]
    assert capsys.readouterr().err == "gw-20261123T150405Z-0.jsonl:2: torn\n"


def test_a_folder_that_is_not_there(tmp_path, capsys):
    with pytest.raises(typer.Exit), asking.asked(tmp_path / "missing"):
        pass
    assert capsys.readouterr().err == f"{tmp_path / 'missing'}: no such folder\n"

"""What every command does: it says things as they are, and fails with a code."""

import sys

import pytest
import typer

from phigate.options import ROOT
from phigate.terminal import POLICY, err, fail, out, policy_of, say
from tests import policies
from tests.command import imported


def test_what_is_said_is_neither_markup_nor_cut(capsys):
    say("[red]a[/red] " + "x" * 300)
    say("to the other", err)
    told = capsys.readouterr()
    assert told.out == "[red]a[/red] " + "x" * 300 + "\n"
    assert told.err == "to the other\n"
    assert out.file is not err.file


def test_a_failure_is_told_and_has_its_code(capsys):
    failure = fail("nothing there", 2)
    assert isinstance(failure, typer.Exit)
    assert failure.exit_code == 2
    assert capsys.readouterr().err == "nothing there\n"


def test_a_policy_is_read_or_its_faults_are_told(tmp_path, capsys):
    path = tmp_path / "policy.yaml"
    path.write_text(policies.text())
    assert policy_of(path).rules
    path.write_text("version: 9\n")
    with pytest.raises(typer.Exit) as failed:
        policy_of(path, 2)
    assert failed.value.exit_code == 2
    assert f"{path}:1: version: must be `1`, not `9`" in capsys.readouterr().err


def test_a_command_that_reads_no_policy_waits_for_no_house():
    assert imported("phigate.terminal") & {"phigate.serving", "pydantic", "lxml", "mitmproxy"} == set()
    assert "phigate.serving" in sys.modules
    assert POLICY == ROOT / "rules" / "policy.yaml"

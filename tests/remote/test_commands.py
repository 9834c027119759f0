"""The commands that ask a gateway are part of `phigate`, and stand by themselves."""

from typer.main import get_command

from phigate.cli import app as whole
from phigate.remote.commands import NAMES, app


def words_of(command):
    """Its subcommands and options, and theirs."""
    within = getattr(command, "commands", {})
    return {name: words_of(each) for name, each in within.items()} | {each.name: None for each in command.params}


def test_they_are_the_same_alone_and_as_part_of_phigate():
    alone, all_of_it = words_of(get_command(app)), words_of(get_command(whole))
    assert {"tickets", "deploy"} == NAMES < set(all_of_it)
    assert {name: alone[name] for name in NAMES} == {name: all_of_it[name] for name in NAMES}
    assert "comment" in alone["tickets"]["approve"]

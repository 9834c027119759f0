"""The commands that ask a gateway are part of `phigate`, and stand by themselves."""

from typer.main import get_command

from phigate.cli import app as whole
from phigate.remote.commands import NAMES, app


def test_they_are_the_same_alone_and_as_part_of_phigate():
    alone, all_of_it = get_command(app), get_command(whole)
    assert set(alone.commands) == NAMES <= set(all_of_it.commands)
    for name in NAMES:
        assert set(alone.commands[name].commands) == set(all_of_it.commands[name].commands)

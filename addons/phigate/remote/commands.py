"""The commands that ask a running gateway, as part of `phigate` and by themselves.

By themselves they need nothing of the house: an approver, or a step of a pipeline, waits a third of a second for
one, and more than one for all of `phigate`.
"""

from __future__ import annotations

import typer

from phigate.remote.deploy import deploy
from phigate.remote.tickets import tickets

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def add_to(whole: typer.Typer) -> None:
    """Make them commands of `whole`."""
    whole.add_typer(tickets, name="tickets")
    whole.command(name="deploy", context_settings={"allow_interspersed_args": False})(deploy)


add_to(app)
NAMES = frozenset({*(each.name for each in app.registered_groups), *(each.name for each in app.registered_commands)})
"""The words after `phigate` that are theirs."""

"""What every command does: where it prints, how it fails, and the policy it reads.

What a policy is comes with the whole house, which only those commands wait for that read one.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

if TYPE_CHECKING:
    from phigate.policy.schema import Policy

out = Console()
err = Console(stderr=True)

PolicyFile = Annotated[Path, typer.Option("--policy", help="The policy file.")]
POLICY = Path(__file__).resolve().parents[2] / "rules" / "policy.yaml"


def say(text: str, where: Console = out) -> None:
    """Print as it stands: a path or a fault may hold what would count as markup, or be longer than a line."""
    where.print(text, markup=False, highlight=False, soft_wrap=True)


def fail(text: str, code: int = 1) -> typer.Exit:
    say(text, err)
    return typer.Exit(code)


def policy_of(path: Path, code: int = 1) -> Policy:
    from phigate.policy.load import PolicyFaults  # noqa: PLC0415 -- as above
    from phigate.serving import read_policy  # noqa: PLC0415 -- a second, for commands that have a policy

    try:
        return read_policy(path)
    except PolicyFaults as faults:
        raise fail("\n".join(faults.faults), code) from None

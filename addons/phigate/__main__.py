"""The `phigate` command as it is installed: what asks a running gateway starts without all the rest (cli.py)."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command that the words of this process name."""
    from phigate.remote import commands  # noqa: PLC0415 -- only one of the two is needed

    if len(sys.argv) > 1 and sys.argv[1] in commands.NAMES:
        commands.app(prog_name="phigate")
        return
    from phigate.cli import app  # noqa: PLC0415 -- as above

    app(prog_name="phigate")


if __name__ == "__main__":
    main()

"""The page's HTML: values in, text out.

Every value is escaped by the template (autoescape), and first freed of characters that move a cursor or turn the
reading direction: whatever a request holds was written by strangers. There is no script to hold one.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from phigate.audit.questions.show import plain

_HERE: Final = Path(__file__).parent / "templates"


def page(template: str, **values: Any) -> str:
    """A page by the name of its template."""
    return _environment().get_template(f"{template}.html.jinja").render(**values)


@cache
def style() -> str:
    """The one style sheet."""
    return (_HERE / "desk.css").read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_printed,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
    )


def _printed(value: object) -> object:
    """What stands on the page for a value; it is escaped afterwards."""
    return value if isinstance(value, Markup) else plain(value).plain

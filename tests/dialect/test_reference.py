"""The page of dialects holds what the tables say."""

from pathlib import Path

from phigate.dialect.known import ROUTES
from phigate.dialect.reference import page

PAGE = Path(__file__).parents[2] / "docs" / "dialects.md"


def test_the_page_holds_the_current_tables():
    assert page() in PAGE.read_text(), "run `python -m phigate.dialect.reference` and paste its output into the page"


def test_every_route_is_on_the_page():
    text = page()
    assert [route.name for route in ROUTES if f"`{route.method} {route.path}`" not in text] == []

"""The page's HTML: what strangers wrote stays text."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import html

from phigate.answering import Caller
from phigate.console.page.render import page, style
from phigate.console.page.words import asked
from phigate.exchange import Subject
from tests.console.page.test_words import POLICY
from tests.ledger.tickets import EVE, NOW, ticket

WHO = {"base": "", "who": "eve", "token": "t"}


def shown(text):
    said = {"prompt": {"messages": [{"role": text, "content": text}]}, "model": text, "justification": text}
    held = ticket(shown=said | {"call": {"target": text}, "context": {text: text}}, subject=("i", text))
    caller = Caller(Subject(*EVE, (), frozenset({"officer"}), 0.0), "", "page")
    one = asked(held, POLICY, caller, reviews=True, now=NOW)
    return page("ticket", title=text, asked=one, limit=1000, **WHO)


HOSTILE = "</pre><script>alert(1)</script><img src=x onerror=alert(1)> \" ' & {{ 7*7 }} {% raw %}"


def test_what_a_request_holds_becomes_no_markup():
    tree = html.document_fromstring(shown(HOSTILE))
    assert tree.xpath("//script|//img|//*[@onerror]") == []
    assert [each.text for each in tree.xpath("//pre")] == [HOSTILE]
    assert "49" not in tree.text_content()


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=40))
def test_nothing_that_is_written_changes_the_page(text):
    found, plain = (re.findall(r"<[a-z/][^>]*>", shown(each)) for each in (f"x{text}", "x"))
    assert [tag.split()[0] for tag in found] == [tag.split()[0] for tag in plain]


@pytest.mark.parametrize("mark", ["\x00", "\x1b", "\u202e", "\u2066", "\u200f", "\ufeff", "\U000e0061", "\u200b"])
def test_no_character_turns_the_line_or_moves_a_cursor(mark):
    assert mark not in shown(f"a{mark}b")


def test_the_page_says_its_language_its_place_and_works_on_a_phone():
    tree = html.document_fromstring(shown("x"))
    assert tree.get("lang") == "en"
    assert tree.xpath("//meta[@name='viewport']")
    assert tree.xpath("string(//label[@for='comment'])").startswith("Comment")
    assert tree.xpath("//a[@href='#main']")
    assert [button.get("value") for button in tree.xpath("//button[@name='verdict']")] == ["approve", "reject"]
    assert "ask" not in tree.xpath("string(//button[@value='approve'])")
    assert tree.xpath("//script|//*[@style]|//iframe") == []


def test_the_style_sheet_refers_to_nothing_and_knows_the_dark():
    assert "url(" not in style()
    assert "@import" not in style()
    assert "prefers-color-scheme:dark" in style()
    assert ":focus-visible" in style()

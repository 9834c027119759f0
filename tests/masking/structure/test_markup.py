"""Marked-up text: the tags stay, what is read is masked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from phigate.masking.structure import markup
from phigate.masking.structure.recognise import masker
from tests.masking.structure.eyes import SEEING, hide, listening

EYES = masker(lambda text: text.replace("Anna", "<P>"), hide)

ROWS = [
    ("<div>Anna &amp; Co</div>", "<div>&lt;P&gt; &amp; Co</div>"),
    ('<div xmlns="http://www.w3.org/1999/xhtml"><br/>x</div>', None),
    ('<a href="https://x.example/Anna">y</a>', '<a href="https://x.example/&lt;P&gt;">y</a>'),
    ("<img alt='Anna' src=\"a.png\"/>", '<img alt="&lt;P&gt;" src="a.png"/>'),
    ('<td class="c1" colspan="2">x</td>', None),
    ("<!-- Anna -->", "<!-- <P> -->"),
    ("<Anna was here>", "<<P> was here>"),
    ("a < b, Anna", "a &lt; b, &lt;P&gt;"),
    ("a < b", None),
    ("", None),
]


@pytest.mark.parametrize(("text", "expected"), ROWS, ids=range(len(ROWS)))
def test_tags_stay(text, expected):
    assert markup.rewrite(text, EYES) == (text if expected is None else expected)


def test_a_short_text_is_the_label_of_the_next():
    seen = []
    markup.rewrite("<tr><th>MRN:</th><td>77310</td></tr>", listening(seen))
    assert "MRN: 77310" in seen


def test_well_formed_stays_well_formed():
    text = '<div xmlns="http://www.w3.org/1999/xhtml"><p title="a &quot;b&quot; Anna">Anna &lt;3</p><br/></div>'
    shown = markup.rewrite(text, EYES)
    assert "Anna" not in shown
    assert etree.fromstring(shown)[0].get("title") == 'a "b" <P>'


@given(st.text(st.sampled_from("<>a =\"'/!&;-"), max_size=40))
def test_no_text_is_an_exception_and_nothing_found_leaves_it_as_it_was(text):
    assert markup.rewrite(text, SEEING) == text

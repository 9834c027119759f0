"""What people look for among flows: the same is found as ever, and nothing takes long to look for."""

import contextlib
import re
import time

import pytest
from mitmproxy import flowfilter
from mitmproxy.test import tflow, tutils

from phigate.host import searches


@pytest.fixture(autouse=True)
def _installed(monkeypatch):
    monkeypatch.setattr(flowfilter._Rex, "__init__", flowfilter._Rex.__init__)
    monkeypatch.setattr(flowfilter, "parse", flowfilter.parse)
    searches.install()


def flow(content=b"First line\nsecond \xff \xc3\xa9nd"):
    return tflow.tflow(req=tutils.treq(content=content, path=b"/v1/chat?x=1"), resp=True)


FOUND = [
    ("a word, in either case", "~bq FIRST", True),
    ("another word", "~bq third", False),
    ("a pattern over lines", '~bq "first.line.second"', True),
    ("a line's beginning in a head", '~hq "^content-length"', True),
    ("an address", "~u chat", True),
    ("a naked word is an address", "v1/ch[a-z]t", True),
    ("what stands behind bytes that are no UTF-8", '~bq "nd$"', True),
    ("letters beyond ASCII", "~bq énd", True),
    ("alternatives stay within", '~bq "third|first"', True),
    ("and, or, not", "~bq first & ! ( ~bq third | ~c 500 )", True),
    ("a method", "~m GET", True),
    ("a status", "~c 200", True),
]


@pytest.mark.parametrize(("sentence", "said", "found"), FOUND, ids=[case[0] for case in FOUND])
def test_it_finds(sentence, said, found):
    assert bool(flowfilter.parse(said)(flow())) is found


SLOW = [
    ("a pattern that goes back", '~bq "(.|.)*9999"'),
    ("another one", '~bq "(a+)+Z"'),
    ("parentheses in parentheses", "(" * 9 + " ~q " + ")" * 9),
    ("parentheses without end", "(" * 450),
    ("not, and not, and not", "!" * 450 + "~q"),
    ("very many words", "a " * 249),
    ("more than anybody writes", "(" * 100_000),
]


@pytest.mark.parametrize(("sentence", "said"), SLOW, ids=[case[0] for case in SLOW])
def test_nobody_waits_for(sentence, said):
    began = time.thread_time()
    with contextlib.suppress(ValueError):
        flowfilter.parse(said)(flow(b"a" * 200))
    assert time.thread_time() - began < 10.0, "what goes back takes half a minute and more"


@pytest.mark.parametrize("said", ["~bq (?=a)", r'~bq "(a)\\1"', "~bq (", "~bq \ud800", "(" * 450, "a" * 501, ""])
def test_what_is_no_filter_is_an_error_that_mitmproxy_knows(said):
    with pytest.raises(ValueError, match=r"expression"):
        flowfilter.parse(said)


def test_a_pattern_has_the_flags_that_it_is_asked_for():
    assert searches.compiled("^a.b$", 0).search("x\nA\nb") is None
    assert searches.compiled("^a.b$", re.IGNORECASE | re.MULTILINE | re.DOTALL).search("x\nA\nb")

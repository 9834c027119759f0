"""Headers, cookies and forms: what is the page's own, and what is not."""

import pytest

from phigate.console.page.guard import HEADERS, Place, Tokens, one_line, read_cookies, read_fields
from phigate.masking.secrets import Secrets

OUT = Place("https://console.example")
HERE = Place("http://127.0.0.1:8090")
BELOW = Place("https://tools.example/phigate")


def test_nothing_is_loaded_from_elsewhere_nothing_runs_and_nobody_frames_or_keeps_it():
    policy = HEADERS["content-security-policy"]
    assert policy.startswith("default-src 'none'; ")
    assert "script" not in policy
    assert "unsafe" not in policy
    for part in ("style-src 'self'", "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'"):
        assert part in policy.split("; ")
    assert HEADERS["cache-control"] == "no-store"


def test_a_cookie_is_for_this_host_only():
    kept = OUT.set("phi-session", "v", same_site="Strict")
    assert kept == "__Host-phi-session=v; Path=/; HttpOnly; SameSite=Strict; Secure"
    assert OUT.set("x", "", same_site="Lax", lasts=0) == "__Host-x=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0; Secure"


def test_on_plain_loopback_it_can_be_neither_secure_nor_so_called():
    assert HERE.set("phi-session", "v", same_site="Strict") == "phi-session=v; Path=/; HttpOnly; SameSite=Strict"


def test_where_the_page_is():
    assert (BELOW.origin, BELOW.base) == ("https://tools.example", "/phigate")
    assert (HERE.origin, HERE.base) == ("http://127.0.0.1:8090", "")


@pytest.mark.parametrize(
    ("headers", "own"),
    [
        ({"origin": "https://console.example", "sec-fetch-site": "same-origin"}, True),
        ({"origin": "https://console.example"}, True),
        ({"sec-fetch-site": "same-origin"}, True),
        ({}, False),
        ({"origin": "null", "sec-fetch-site": "same-origin"}, False),
        ({"origin": "https://evil.example"}, False),
        ({"origin": "http://console.example"}, False),
        ({"origin": "https://console.example:444"}, False),
        ({"origin": "https://console.example", "sec-fetch-site": "cross-site"}, False),
        ({"origin": "https://console.example", "sec-fetch-site": "same-site"}, False),
        ({"sec-fetch-site": "none"}, False),
    ],
)
def test_which_forms_were_sent_from_the_page_itself(headers, own):
    assert OUT.own(headers) is own


def test_a_form_belongs_to_one_sign_in():
    old = Secrets(b"o" * 32, "1")
    new = Secrets(b"n" * 32, "2", (old,))
    before, after = (Tokens(tuple(each.digest for each in one.every)) for one in (old, new))
    assert before.fits("jti-1", before.of("jti-1"))
    assert after.fits("jti-1", before.of("jti-1"))
    assert not before.fits("jti-1", after.of("jti-1"))
    assert not before.fits("jti-2", before.of("jti-1"))
    assert not before.fits("jti-1", "")
    assert not before.fits("jti-1", "\u00e9")


@pytest.mark.parametrize(
    ("raw", "fields"),
    [
        (b"a=1&b=%C3%A9+x", {"a": "1", "b": "\u00e9 x"}),
        (b"a=", {"a": ""}),
        (b"a=1&a=2", None),
        (b"a", None),
        (b"a=%FF", None),
        (b"a=\xff", None),
        (b"a=1&b=2&c=3&d=4&e=5", None),
        (b"", {}),
    ],
)
def test_fields_of_a_form(raw, fields):
    assert read_fields(raw) == fields


def test_a_comment_is_kept_on_one_line():
    assert one_line(" seen\r\n at\tthe \u202ebedside\x00 ") == "seen at the bedside"


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        (["__Host-a=1"], {"__Host-a": "1"}),
        (["b=2; __Host-a=1;c="], {"__Host-a": "1", "b": "2", "c": ""}),
        (["b=2", "__Host-a=x.y-z_=="], {"__Host-a": "x.y-z_==", "b": "2"}),
        (["\xa0__Host-a=1; b=2"], {"b": "2"}),
        (["\x85__Host-a=1"], {}),
        (["__Host-a\xa0=1"], {}),
        (["\t__Host-a=1"], {}),
        (["__Host-a =1"], {}),
        (["=__Host-a=1"], {}),
        (['__Host-a="1"'], {}),
        (["__Host-a=1\xa0"], {}),
        (["__Host-a=1; \xa0__Host-a=2"], {"__Host-a": "1"}),
        (["__Host-a=1; __Host-a=2; b=3"], {"b": "3"}),
        (["__Host-a=1", "__Host-a=1"], {}),
        (["$Version=1; __Host-a"], {"$Version": "1"}),
        ([], {}),
    ],
    ids=repr,
)
def test_a_cookie_has_the_very_name_that_only_the_page_can_set(fields, found):
    assert read_cookies(fields) == found

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phigate.identity.outcome import Reason, Refused
from phigate.identity.strict import MAX_DEPTH, Parts, from_base64url, read_bearer, read_object, to_base64url


@given(st.binary(min_size=1))
def test_bytes_survive_base64url(raw: bytes) -> None:
    assert from_base64url(to_base64url(raw)) == raw


@given(st.text(alphabet="AQgw-_09zZ+/= \n\u00e9", max_size=12))
def test_no_two_texts_are_the_same_bytes(text: str) -> None:
    raw = from_base64url(text)
    assert raw is None or to_base64url(raw) == text


@pytest.mark.parametrize("text", ["", "A", "AB", "AAAAA", "AA=", "AA==", "+A", "/A", "AA ", "A A", "AA\n", "\u0661A"])
def test_a_text_that_is_not_the_one_spelling_is_none(text: str) -> None:
    assert from_base64url(text) is None


READ: list[tuple[bytes, dict[str, object] | Reason]] = [
    (b"{}", {}),
    (b' {"a": [1, 2.5, null, true, "x"]} ', {"a": [1, 2.5, None, True, "x"]}),
    (b'{"a": "\\ud83d\\ude00"}', {"a": "\U0001f600"}),
    (b'{"a": "\\\\u0000"}', {"a": "\\u0000"}),
    (b'{"a": {"x": 1}, "b": {"x": 1}}', {"a": {"x": 1}, "b": {"x": 1}}),
    (b"", "json-invalid"),
    (b"{'a': 1}", "json-invalid"),
    (b'{"a": 1,}', "json-invalid"),
    (b'{"a": 01}', "json-invalid"),
    (b'{"a": "\n"}', "json-invalid"),
    (b'{"a": -Infinity}', "json-number"),
    (b'{"a": "\\ude00\\ud83d"}', "json-surrogate"),
    (b'{"a": ["\\uDBFF"]}', "json-surrogate"),
    (b'{"a": "\xed\xa0\x80"}', "not-utf8"),
    (b'{"a": "\xc0\xaf"}', "not-utf8"),
    (b'{"a": 1, "\\u0061": 2}', "json-duplicate-name"),
]


@pytest.mark.parametrize(("raw", "expected"), READ)
def test_an_object_is_read_in_one_way_or_not_at_all(raw: bytes, expected: dict[str, object] | Reason) -> None:
    assert read_object(raw) == (expected if isinstance(expected, dict) else Refused(expected))


@pytest.mark.parametrize(("start", "end"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_the_depth_is_counted_outside_strings(start: bytes, end: bytes) -> None:
    decoy = b'"\\"[[{{' + b"[" * 40 + b'"'

    def deep(levels: int) -> bytes:
        return b'{"note": ' + decoy + b', "a": ' + start * (levels - 1) + decoy + end * (levels - 1) + b"}"

    assert isinstance(read_object(deep(MAX_DEPTH)), dict)
    assert read_object(deep(MAX_DEPTH + 1)) == Refused("json-too-deep")


def test_quotes_without_end_take_no_more_time_than_others() -> None:
    hostile = b"[" * 20 + b'"' + b'\\"' * 500_000
    started = time.process_time()
    read_object(hostile)
    assert time.process_time() - started < 2.0  # restarting at each quote would take minutes


def test_the_parts_are_what_was_sent() -> None:
    head, said = to_base64url(b'{"alg":"RS256"}'), to_base64url(b'{"sub":"x"}')
    parts = read_bearer(f"{head}.{said}.AAAA")
    assert parts == Parts({"alg": "RS256"}, {"sub": "x"}, f"{head}.{said}".encode(), b"\0\0\0")

"""Bodies become trees and bodies again, or are told to be unreadable."""

import pytest

from phigate.dialect.codecs import JSON, NOTHING, TEXT, media_of


def test_json_is_read_and_written():
    tree = JSON.read(b'{"a": "\xc3\xa9", "a": 1}', {})
    assert JSON.write(tree) == (b'{"a":1}', [(b"content-type", b"application/json")])


def test_text_is_read_and_written():
    assert TEXT.write(TEXT.read("é\n".encode(), {}))[0] == "é\n".encode()


def test_nothing_is_read_and_written():
    assert NOTHING.write(NOTHING.read(b"", {})) == (b"", [])


@pytest.mark.parametrize(
    ("codec", "content"), [(JSON, b"{"), (JSON, b'"\xff"'), (JSON, b"NaN"), (TEXT, b"\xff"), (NOTHING, b"ok")]
)
def test_what_cannot_be_read_is_an_error_that_tells_nothing_of_it(codec, content):
    with pytest.raises(ValueError, match=r"\A[ -~]*\Z"):
        codec.read(content, {})


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"application/json", ("application/json", "")),
        (b"Text/Plain; Charset=UTF-8", ("text/plain", "utf-8")),
        (b"", ("", "")),
    ],
)
def test_the_media_type_of_a_head(value, expected):
    assert media_of({b"content-type": value}) == expected

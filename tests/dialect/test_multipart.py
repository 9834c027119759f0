"""Forms with a file in them: what is read is all there is, and what is written is a form of our own."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phigate.dialect.multipart import Multipart

FORM = Multipart("file", "recording", frozenset({"wav"}), frozenset({"stream"}))
HEAD = {b"content-type": b"multipart/form-data; boundary=xx"}


def part(name, body, filename=None, media=None, eol="\r\n"):
    said = f'Content-Disposition: form-data; name="{name}"' + (
        f'; filename="{filename}"' if filename is not None else ""
    )
    head = said + (f"{eol}Content-Type: {media}" if media else "")
    return f"{head}{eol}{eol}".encode() + (body if isinstance(body, bytes) else body.encode())


def form(*parts, end=b"--xx--\r\n"):
    return b"".join(b"--xx\r\n" + each + b"\r\n" for each in parts) + end


WAV = part("file", b"RIFF\r\n\r\n--x\0\xff", "Zebulon Quartermaine.WAV", "audio/wav")
WHOLE = form(
    part("model", "m"),
    WAV,
    part("stream", "True"),
    part("a[]", "1"),
    part("a[]", "2"),
    part("prompt", "é\r\n", media="text/plain"),
)
TREE: dict[str, Any] = {
    "model": "m",
    "file": {
        "filename": "recording.wav",
        "type": "audio/wav",
        "size": 13,
        "content": b"RIFF\r\n\r\n--x\0\xff",
    },
    "stream": True,
    "a[]": ["1", "2"],
    "prompt": "é\r\n",
}


def test_a_form_is_read():
    assert FORM.read(WHOLE, HEAD) == TREE


@pytest.mark.parametrize(
    "media",
    [b'multipart/form-data; boundary="xx"', b"Multipart/Form-Data; Boundary=xx", b"multipart/form-data;boundary=xx"],
)
def test_a_boundary_may_be_written_in_several_ways(media):
    assert FORM.read(WHOLE, {b"content-type": media}) == TREE


def test_a_form_is_written_anew():
    body, [(name, media)] = FORM.write(TREE)
    assert name == b"content-type"
    assert FORM.read(body, {b"content-type": media}) == TREE


@pytest.mark.parametrize(
    ("filename", "media", "expected"),
    [
        ("a.exe", "audio/wav", ("recording", "audio/wav")),
        ("wav", "text/html; x=y", ("recording", "application/octet-stream")),
        ("a.Jane.wav", "video/mp4", ("recording.wav", "video/mp4")),
        ("a.wav", None, ("recording.wav", "application/octet-stream")),
        ("", "audio/jane doe", ("recording", "application/octet-stream")),
    ],
)
def test_of_a_file_s_name_and_type_only_what_servers_tell_formats_by_goes_on(filename, media, expected):
    body, [(_, boundary)] = FORM.write(FORM.read(form(part("file", b"x", filename, media)), HEAD))
    made = FORM.read(body, {b"content-type": boundary})["file"]
    assert (made["filename"], made["type"]) == expected


def test_a_name_that_was_hidden_makes_no_other_form():
    body, _ = FORM.write({'a"; filename="b': 'x"\r\n'})
    assert b'name="a___filename__b"\r\n\r\nx"' in body


@given(st.binary(max_size=80), st.text(max_size=40))
def test_any_content_and_any_text_come_back(content, text):
    tree = {
        "file": {"filename": "recording.wav", "type": "audio/wav", "size": len(content), "content": content},
        "prompt": text,
    }
    body, [(_, media)] = FORM.write(tree)
    assert FORM.read(body, {b"content-type": media}) == tree


def test_a_boundary_that_stands_in_a_file_is_not_taken():
    (_, media), recording = FORM.write(TREE)[1][0], TREE["file"]
    boundary = media.partition(b"=")[2]
    forged = b"a\r\n--" + boundary + b'\r\nContent-Disposition: form-data; name="model"\r\n\r\nother'
    body, [(_, other)] = FORM.write(TREE | {"file": recording | {"content": forged}, "prompt": boundary.decode()})
    made = FORM.read(body, {b"content-type": other})
    assert (made["file"]["content"], made["model"], made["prompt"]) == (forged, "m", boundary.decode())


BAD = {
    "nothing": b"",
    "no beginning": b"x" + WHOLE,
    "no end": WHOLE.removesuffix(b"--xx--\r\n"),
    "something after the end": WHOLE + b"x",
    "another boundary": WHOLE.replace(b"--xx", b"--yy"),
    "a file where none belongs": form(part("model", "m", "a.txt")),
    "a file without a name": form(part("file", b"x")),
    "two models": form(part("model", "a"), part("model", "b")),
    "two files": form(WAV, WAV),
    "no head": form(b"x"),
    "no name": form(b"Content-Disposition: form-data\r\n\r\nx"),
    "a name in other letters": form(part("m\u00f6del", "x")),
    "an escaped name": form(part('mo\\"del', "x")),
    "another field in the head": form(
        b'Content-Disposition: form-data; name="a"\r\nContent-Transfer-Encoding: base64\r\n\r\nx'
    ),
    "a field twice": form(
        b'Content-Disposition: form-data; name="a"\r\ncontent-disposition: form-data; name="b"\r\n\r\nx'
    ),
    "a second name of a file": form(
        b'Content-Disposition: form-data; name="file"; filename="a"; filename*=UTF-8\'\'b\r\n\r\nx'
    ),
    "a boundary in a part": form(part("model", "a\n--xx\nb")),
    "lines that end otherwise": form(part("model", "m", eol="\n")),
    "neither yes nor no": form(part("stream", "maybe")),
    "no UTF-8": form(part("prompt", b"\xff")),
    "a head that is no UTF-8": form(b'Content-Disposition: form-data; name="\xff"\r\n\r\nx'),
    "many parts": form(*(part(f"p{at}", "x") for at in range(101))),
}


@pytest.mark.parametrize("content", BAD.values(), ids=BAD)
def test_what_could_be_read_in_two_ways_is_not_read(content):
    with pytest.raises(ValueError, match=r"\A[ -~]*\Z"):
        FORM.read(content, HEAD)


@pytest.mark.parametrize(
    "media",
    [
        b"",
        b"multipart/form-data",
        b"multipart/form-data; boundary=",
        b"multipart/form-data; boundary=xx; charset=utf-8",
    ],
)
def test_a_form_without_a_boundary_is_not_read(media):
    with pytest.raises(ValueError, match="boundary"):
        FORM.read(WHOLE, {b"content-type": media})


def test_a_part_may_be_empty_and_the_last_line_break_may_be_missing():
    assert FORM.read(form(part("prompt", ""), end=b"--xx--"), HEAD) == {"prompt": ""}


def test_what_bystanders_see_of_a_form_is_json():
    shown = {key: value for key, value in TREE["file"].items() if key != "content"}
    assert orjson.dumps(shown)

"""Forms with files in them (multipart/form-data, RFC 7578): read strictly, written anew.

A file's content is bytes that nobody reads: it goes on as it came, under a name of ours, for its own name may say whom
it is about. Every other part is text. What could be read in two ways is not read at all.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from phigate.dialect.codecs import Head

MOST_PARTS = 100
_BOUNDARY = re.compile(rb'multipart/form-data; *boundary="?([0-9A-Za-z\'()+_,./:=?-]{1,70})"?\s*\Z', re.IGNORECASE)
"""RFC 2046, 5.1.1, without the space that it allows within."""
_DISPOSITION = re.compile(
    r'form-data; *name="([A-Za-z0-9_.\[\]-]{1,64})"(?:; *filename="([^"\r\n]{0,512})")?', re.IGNORECASE
)
_FORGED = re.compile(r"[^A-Za-z0-9_.\[\]-]")
_SOUND = re.compile(r"(?:audio|video)/[a-z0-9.+-]{1,40}\Z")
_ENDING = re.compile(r"\.([A-Za-z0-9]{1,5})\Z")
_BYTES = "application/octet-stream"
_SWITCHES = {"true": True, "false": False, "1": True, "0": False}


class Multipart:
    """A form with one kind of file: `file` is its name in the form, `called` the file's name as it goes on.

    `endings` are the endings of a file's name that are kept: servers tell formats by them. `switches` are fields that
    say yes or no. The tree has a member for each name, lists under names that end in `[]`, and for the file its
    `filename` (ours), `type`, `size` and, as bytes, its `content`.
    """

    media = "multipart/form-data"

    def __init__(self, file: str, called: str, endings: frozenset[str], switches: frozenset[str]) -> None:
        self._file, self._called, self._endings, self._switches = file, called, endings, switches

    def read(self, content: bytes, head: Mapping[bytes, bytes]) -> Any:
        tree: dict[str, Any] = {}
        for name, filename, media, body in _parts(content, head):
            if (filename is not None) is not (name == self._file):
                raise ValueError("a file where none belongs, or none where it does")
            value = self._value(name, filename, media, body)
            if name.endswith("[]"):
                tree.setdefault(name, []).append(value)
            elif name in tree:
                raise ValueError("two parts of one name")
            else:
                tree[name] = value
        return tree

    def _value(self, name: str, filename: str | None, media: str, body: bytes) -> Any:
        if filename is not None:
            found = _ENDING.search(filename)
            ending = f".{found[1].lower()}" if found and found[1].lower() in self._endings else ""
            kind = media if _SOUND.match(media) else _BYTES
            return {"filename": self._called + ending, "type": kind, "size": len(body), "content": body}
        try:
            text = body.decode()
        except UnicodeDecodeError:
            raise ValueError("not UTF-8") from None
        if name not in self._switches:
            return text
        if text.lower() not in _SWITCHES:
            raise ValueError("neither yes nor no")
        return _SWITCHES[text.lower()]

    def write(self, tree: Any) -> tuple[bytes, Head]:
        parts = [(_FORGED.sub("_", name), value) for name, value in tree.items()]
        each = [
            self._part(name, item) for name, value in parts for item in (value if isinstance(value, list) else [value])
        ]
        boundary = _boundary(each)
        body = b"".join(b"--" + boundary + b"\r\n" + part + b"\r\n" for part in each) + b"--" + boundary + b"--\r\n"
        return body, [(b"content-type", b"multipart/form-data; boundary=" + boundary)]

    @staticmethod
    def _part(name: str, value: Any) -> bytes:
        said = f'Content-Disposition: form-data; name="{name}"'
        if not isinstance(value, dict):
            text = str(value).lower() if isinstance(value, bool) else str(value)
            return f"{said}\r\n\r\n{text}".encode()
        content: bytes = value["content"]
        return f'{said}; filename="{value["filename"]}"\r\nContent-Type: {value["type"]}\r\n\r\n'.encode() + content


def _parts(content: bytes, head: Mapping[bytes, bytes]) -> Iterator[tuple[str, str | None, str, bytes]]:
    """(name, name of the file, media type, content) of each part; raises ValueError."""
    found = _BOUNDARY.match(head.get(b"content-type", b""))
    if found is None:
        raise ValueError("no boundary")
    mark = b"--" + found[1]
    end = content.removesuffix(b"\r\n")
    if not content.startswith(mark + b"\r\n") or not end.endswith(b"\r\n" + mark + b"--"):
        raise ValueError("no beginning or no end")
    parts = (b"\r\n" + end[len(mark) + 2 : -len(mark) - 4]).split(b"\r\n" + mark + b"\r\n")
    if len(parts) > MOST_PARTS or any(b"\n" + mark in part for part in parts):
        raise ValueError("too many parts, or one that ends twice")
    for part in parts:
        before, blank, body = part.partition(b"\r\n\r\n")
        if not blank:
            raise ValueError("a part without a head")
        yield *_told(before.removeprefix(b"\r\n")), body


def _told(head: bytes) -> tuple[str, str | None, str]:
    """What a part's head says; only the two fields that RFC 7578 still knows."""
    try:
        lines = [line.partition(": ") for line in head.decode().split("\r\n")]
    except UnicodeDecodeError:
        raise ValueError("not UTF-8") from None
    fields = {name.lower(): value for name, _, value in lines}
    found = _DISPOSITION.fullmatch(fields.get("content-disposition", ""))
    if found is None or len(fields) < len(lines) or not fields.keys() <= {"content-disposition", "content-type"}:
        raise ValueError("a head that nobody knows")
    return found[1], found[2], fields.get("content-type", _BYTES).lower()


def _boundary(parts: list[bytes]) -> bytes:
    """A boundary that stands in no part, the same for the same form (RFC 2046, 5.1.1: at most 70 characters)."""
    made = hashlib.sha256(b"\0".join(parts))
    while any(made.hexdigest()[:48].encode() in part for part in parts):
        made.update(b"\0")
    return b"phigate-" + made.hexdigest()[:48].encode()

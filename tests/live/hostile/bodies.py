"""What a request says: JSON that is none, or two things at once, and compressed bodies."""

import gzip
import json
import zlib

import brotli
import zstandard

from tests.live.hostile.wire import BODY, ENCODED, UNREADABLE, C, passes, post, refused
from tests.traffic import CANARY_TEXT, chat

NAMED = BODY[:-1]
"""The body without its last brace: more members may follow."""


def said(body):
    return post(body=body)


def more(member):
    """The body with one more member."""
    return said(NAMED + b", " + member + b"}")


def coded(encoding, body):
    return post(b"Content-Encoding: " + encoding + b"\r\n", body=body)


def deep(opening, closing, levels, inner=b""):
    return more(b'"x": ' + opening * levels + inner + closing * levels)


MODEL = b'"model": "ward-assistant"'
NONE = (400, "model-missing")
BROKEN = [
    ("nothing", b""),
    ("blanks", b"   "),
    ("a NUL", b"\0"),
    ("a list", b"[" + BODY + b"]"),
    ("a text", json.dumps(CANARY_TEXT).encode()),
    ("a number", b"77310042"),
    ("nothing at all, as JSON", b"null"),
    ("yes", b"true"),
    ("half an object", BODY[:-2]),
    ("two objects", BODY + BODY),
    ("two objects in two lines", BODY + b"\n" + BODY),
    ("an object and a NUL", BODY + b"\0"),
    ("an object and a brace", BODY + b"}"),
    ("an object and a comma", BODY + b","),
    ("an object and a comment", BODY + b"// " + C),
    ("a comment before", b"/* " + C + b" */" + BODY),
    ("a comma too many", NAMED + b",}"),
    ("no comma", BODY.replace(b", ", b" ")),
    ("single quotes", BODY.replace(b'"', b"'")),
    ("names without quotes", BODY.replace(b'"model"', b"model")),
    ("a mark of byte order", b"\xef\xbb\xbf" + BODY),
    ("a guard against scripts", b")]}',\n" + BODY),
    ("a call", b"f(" + BODY + b")"),
    ("UTF-16", BODY.decode().encode("utf-16")),
    ("UTF-16 without a mark", BODY.decode().encode("utf-16-le")),
    ("UTF-32", BODY.decode().encode("utf-32-be")),
    ("a form", b"model=ward-assistant&text=" + C),
    ("XML", b"<model>" + C + b"</model>"),
    ("YAML", b"model: ward-assistant\nmessages: []\n"),
    ("compressed without a word", gzip.compress(BODY)),
]
MEMBERS = [
    ("not a number", b'"x": NaN'),
    ("without bound", b'"x": Infinity'),
    ("without bound below", b'"x": -Infinity'),
    ("larger than any number", b'"x": 1e999'),
    ("a number of 5,000 digits", b'"x": ' + b"9" * 5000),
    ("a number with a nought before it", b'"x": 077310042'),
    ("a number with a plus", b'"x": +1'),
    ("a number in sixteens", b'"x": 0x4d'),
    ("a number without its beginning", b'"x": .5'),
    ("a number without its end", b'"x": 5.'),
    ("a number with a line in it", b'"x": 1_000'),
    ("a text with a line break", b'"x": "a\nb"'),
    ("a text with a NUL", b'"x": "a\0b"'),
    ("a text with an escape that is none", b'"x": "\\x41"'),
    ("a text with half an escape", b'"x": "\\u12"'),
    ("a text with a high surrogate alone", b'"x": "\\ud800"'),
    ("a text with a low surrogate alone", b'"x": "\\udc00"'),
    ("a text with surrogates the wrong way round", b'"x": "\\udc00\\ud800"'),
    ("a surrogate in UTF-8", b'"x": "\xed\xa0\x80"'),
    ("overlong UTF-8", b'"x": "\xc0\xaf"'),
    ("UTF-8 beyond Unicode", b'"x": "\xf4\x90\x80\x80"'),
    ("half of UTF-8", b'"x": "\xe2\x82"'),
    ("bytes that are no text", b'"x": "\xff"'),
    ("undefined", b'"x": undefined'),
    ("a name without a value", b'"x"'),
    ("a name that is a number", b'1: "x"'),
    ("True", b'"x": True'),
    ("a stream that is a word", b'"stream": "true"'),
    ("a stream that is a number", b'"stream": 1'),
    ("a member in capitals", b'"Model": "other"'),
    ("names that differ by case alone, within", b'"x": {"a": 1, "A": 2}'),
    ("a member in one capital", b'"mEssages": []'),
]
TWICE = [
    ("two models", b'"model": "other"'),
    ("the same model twice", MODEL),
    ("a model and an escaped one", b'"\\u006dodel": "other"'),
    ("two texts of messages", b'"messages": [{"role": "user", "content": "a"}]'),
    ("two members that nobody knows", b'"x": 1, "x": 2'),
    ("two members of a member", b'"x": {"y": 1, "y": 2}'),
    ("two members within a list", b'"x": [[{"y": 1}, {"y": 1, "y": 2}]]'),
    ("two members, one escaped, far within", b'"x": {"x": {"x": [{"y": 1, "\\u0079": 2}]}}'),
    ("two members in two spellings of a slash", b'"a/b": 1, "a\\/b": 2'),
    ("two members of no name", b'"": 1, "": 2'),
    ("two members and a text that looks like one", b'"x": "\\"a\\": 1", "y": ":", "y": 1'),
    ("two prototypes", b'"__proto__": {}, "__proto__": {}'),
]
NAMES = [
    ("no model", b'{"messages": []}', NONE),
    ("a model that is nothing", b'{"model": null}', NONE),
    ("a model that is a number", b'{"model": 7}', NONE),
    ("a model that is a list", b'{"model": ["ward-assistant"]}', NONE),
    ("a model that is an object", b'{"model": {"id": "ward-assistant"}}', NONE),
    ("a model without letters", b'{"model": ""}', NONE),
    ("a model with a line break", b'{"model": "ward-assistant\\n"}', NONE),
    ("a model with a NUL", b'{"model": "ward-assistant\\u0000"}', NONE),
    ("a model that turns the line", b'{"model": "\\u202eward-assistant"}', NONE),
    ("a model with a blank of no width", b'{"model": "ward\\u200b-assistant"}', NONE),
    ("a model of 300 letters", b'{"model": "' + b"a" * 300 + b'"}', NONE),
]
HARMLESS = [
    ("a member of a prototype", b'"__proto__": {"admin": true}'),
    ("a member of a constructor", b'"constructor": {"prototype": {"a": 1}}'),
    ("a nought below nothing", b'"x": -0'),
    ("a number that is almost nothing", b'"x": 1e-999'),
    ("a number of thirty digits", b'"x": 100000000000000000000000000000'),
    ("the largest number", b'"x": 18446744073709551615'),
    ("a text with an escaped NUL", b'"x": "a\\u0000b"'),
    ("a name with an escaped NUL", b'"x\\u0000": 1'),
    ("a pair of surrogates", b'"x": "\\ud83d\\ude00"'),
    ("a text with colons and quotes", b'"x": "\\"y\\": \\\\", "y": "a:b:c"'),
    ("a thousand members", b", ".join(b'"x%d": %d' % (at, at) for at in range(1000))),
]
ENCODINGS = [
    ("gzip", b"gzip", gzip.compress(BODY)),
    ("gzip twice", b"gzip, gzip", gzip.compress(gzip.compress(BODY))),
    ("two members of gzip", b"gzip", gzip.compress(BODY) + gzip.compress(C)),
    ("gzip and more behind it", b"gzip", gzip.compress(BODY) + C),
    ("half of gzip", b"gzip", gzip.compress(BODY)[:-9]),
    ("gzip under its old name", b"x-gzip", gzip.compress(BODY)),
    ("a bomb", b"gzip", gzip.compress(b"0" * 5_000_000)),
    ("deflate", b"deflate", zlib.compress(BODY)),
    ("bare deflate", b"deflate", zlib.compress(BODY, wbits=-15)),
    ("brotli", b"br", brotli.compress(BODY)),
    ("a bomb of brotli", b"br", brotli.compress(b"0" * 5_000_000)),
    ("zstandard", b"zstd", zstandard.compress(BODY)),
    ("compress", b"compress", BODY),
    ("plain, said to be gzip", b"gzip", BODY),
    ("an encoding that nobody knows", b"zebra", BODY),
    ("an encoding that speaks", C, BODY),
    ("an encoding of AWS", b"aws-chunked", BODY),
    ("plain and gzip", b"identity, gzip", gzip.compress(BODY)),
]


IMAGE = [{"type": "image_url", "image_url": {"url": "http://x/" + CANARY_TEXT}}]
ROWS = [
    *(refused(f"a body of {what}", said(body)) for what, body in BROKEN),
    *(refused(f"a member: {what}", more(member)) for what, member in MEMBERS),
    *(refused(f"twice: {what}", more(member)) for what, member in TWICE),
    *(refused(what, said(body), gets) for what, body, gets in NAMES),
    *(passes(f"harmless: {what}", more(member), NAMED + b", " + member + b"}") for what, member in HARMLESS),
    *(refused(f"encoded: {what}", coded(encoding, body), ENCODED) for what, encoding, body in ENCODINGS),
    refused("two encodings in two fields", post(b"Content-Encoding: gzip\r\n" * 2)),
    passes("an encoding that is none", coded(b"identity", BODY)),
    refused("lists in lists, 200 deep", deep(b"[", b"]", 200)),
    refused("lists in lists, 5,000 deep", deep(b"[", b"]", 5000)),
    refused("lists without an end", said(b"[" * 100_000)),
    refused("objects in objects", deep(b'{"x":', b"}", 2000, b"1")),
    refused("objects without an end", said(b'{"x":' * 50_000)),
    refused("an image", said(json.dumps(chat(IMAGE)).encode()), UNREADABLE),
]

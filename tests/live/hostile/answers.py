"""What a model server may answer when it is broken, or turned: rows of (sentence, script, statuses that are right)."""

import gzip
import json
import zlib

import brotli
import zstandard

from model_server import CUT, Answer, Raw
from tests.traffic import CANARY_SSN, CANARY_TEXT, completion

C = CANARY_TEXT.encode()
JSON = {"content-type": "application/json"}
BODY = completion()
TYPE = "content-type: application/json"
BAD, FINE = {502}, {200}
BROKEN_OFF = frozenset({200})
"""A stream that ends with an error event, and without its end."""


def raw(head, body=C):
    return Raw([head.replace("\n", "\r\n").encode("latin-1") + b"\r\n\r\n" + body])


def led(*lines, status="200 OK", body=BODY, version="HTTP/1.1"):
    """An answer with these lines in its head, and the length of its body."""
    return raw("\n".join([f"{version} {status}", TYPE, f"content-length: {len(body)}", *lines]), body)


def sized(*lines, body=BODY):
    return raw("\n".join(["HTTP/1.1 200 OK", TYPE, *lines]), body)


def chunked(body, coding="chunked"):
    return sized(f"transfer-encoding: {coding}", body=body)


def chunk(data, extension=b""):
    return b"%x%b\r\n%b\r\n" % (len(data), extension, data)


def coded(encoding, body, **more):
    return Answer(body, headers=JSON | {"content-encoding": encoding} | more)


def typed(kind, body=C, **more):
    return Answer(body, headers={"content-type": kind} | more)


FINAL = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(BODY), BODY)
STATUS = [
    *[
        (
            f"the status {status}",
            Answer(BODY, status=status, headers=JSON | {"location": f"http://x/{CANARY_SSN}"}),
            BAD,
        )
        for status in (201, 202, 203, 206, 207, 208, 226, 300, 301, 302, 303, 307, 308, 305)
    ],
    ("no content, and content", led(status="204 No Content"), BAD),
    ("a reset of content, and content", led(status="205 Reset Content"), BAD),
    ("not modified, and content", led("etag: x", status="304 Not Modified"), BAD),
    *[
        (f"the status {line}", led(status=line), BAD)
        for line in ("0 No", "99 No", "600 No", "700 No", "999 Odd", "1000 No", "-200 No", "+200 OK", "2_00 OK", "20 x")
    ],
    ("a status in letters", led(status="OK"), BAD),
    ("a status of other digits", raw("HTTP/1.1 \xb2\xb0\xb0 OK", C), BAD),
    ("a status and no words", led(status="200"), FINE),
    ("words that speak", led(status=f"200 {CANARY_TEXT}"), FINE),
    ("words that speak of an error", led(status=f"500 {CANARY_TEXT}", body=b"{}"), {500}),
    ("words with a carriage return", led(status="200 O\rK"), BAD),
    ("HTTP/1.0", led(version="HTTP/1.0"), FINE),
    ("HTTP/1.2", led(version="HTTP/1.2"), BAD),
    ("HTTP/2.0 in lines", led(version="HTTP/2.0"), BAD),
    ("another protocol", led(version="ICY"), BAD),
    ("no version", led(version=""), BAD),
    ("two blanks", led(version="HTTP/1.1 "), BAD),
    ("a tab", raw(f"HTTP/1.1\t200\tOK\n{TYPE}\ncontent-length: {len(BODY)}", BODY), BAD),
    ("line feeds only", Raw([FINAL.replace(b"\r\n", b"\n")]), BAD),
    ("an empty line before", Raw([b"\r\n" + FINAL]), BAD),
    ("something before", Raw([C + b"\r\n" + FINAL]), BAD),
    ("no HTTP at all", Raw([C + b"\r\n\r\n"]), BAD),
    ("HTTP/0.9", Raw([C]), BAD),
    ("two status lines", Raw([b"HTTP/1.1 200 OK\r\n" + FINAL]), BAD),
]
INTERIM = [
    ("go on", raw("HTTP/1.1 100 Continue", FINAL), BAD),
    ("go on, many times", Raw([b"HTTP/1.1 100 Continue\r\n\r\n" * 50 + FINAL]), BAD),
    ("at work", raw(f"HTTP/1.1 102 Processing\nx: {CANARY_TEXT}", FINAL), BAD),
    ("early hints", raw(f"HTTP/1.1 103 Early Hints\nlink: {CANARY_TEXT}", FINAL), BAD),
    ("hints and hints", Raw([b"HTTP/1.1 103 Early Hints\r\nlink: " + C + b"\r\n\r\n"] * 3 + [FINAL]), BAD),
    ("an interim answer that nobody knows", raw("HTTP/1.1 199 What", FINAL), BAD),
    ("an interim answer with a length", raw(f"HTTP/1.1 100 Continue\ncontent-length: {len(C)}", C + FINAL), BAD),
    ("an interim answer in chunks", raw("HTTP/1.1 100 Continue\ntransfer-encoding: chunked", chunk(C) + FINAL), BAD),
    (
        "an unasked switch of protocols",
        raw("HTTP/1.1 101 Switching Protocols\nupgrade: websocket\nconnection: upgrade\nsec-websocket-accept: x"),
        BAD,
    ),
    ("a switch to anything", raw("HTTP/1.1 101 Switching Protocols\nupgrade: raw\nconnection: upgrade"), BAD),
    ("a switch to HTTP/2", raw("HTTP/1.1 101 Switching Protocols\nupgrade: h2c\nconnection: upgrade"), BAD),
    ("a switch to nothing", raw("HTTP/1.1 101 Switching Protocols"), BAD),
]
LENGTHS = [
    ("a length that is a word", sized("content-length: x"), BAD),
    ("a length with a plus", sized(f"content-length: +{len(BODY)}"), BAD),
    ("a length below nothing", sized("content-length: -1"), BAD),
    ("a list of lengths", sized(f"content-length: {len(BODY)}, {len(BODY)}"), BAD),
    ("two lengths that agree", sized(f"content-length: {len(BODY)}", f"content-length: {len(BODY)}"), BAD),
    ("two lengths that do not", sized("content-length: 2", f"content-length: {len(BODY)}"), BAD),
    ("a length that is too short", sized("content-length: 20"), BAD),
    ("a length that is too short for what follows", sized("content-length: 2", body=b"{}" + C), FINE),
    ("a length that is too long", sized("content-length: 5000"), BAD),
    ("a length larger than any answer", sized("content-length: 99999999999"), BAD),
    ("no length", sized(), FINE),
    (
        "length and chunks",
        sized("content-length: 5", "transfer-encoding: chunked", body=chunk(BODY) + b"0\r\n\r\n"),
        BAD,
    ),
    ("two codings", sized(*["transfer-encoding: chunked"] * 2, body=chunk(BODY) + b"0\r\n\r\n"), BAD),
    *[
        (f"the coding {coding}", chunked(chunk(BODY) + b"0\r\n\r\n", coding), BAD)
        for coding in ("chunked, chunked", "gzip, chunked", "deflate, chunked", "compress, chunked", "chunked, gzip")
    ],
    *[
        (f"the coding {coding}", chunked(BODY, coding), BAD)
        for coding in ("identity", "gzip", "deflate", "x", '"chunked"')
    ],
    (
        "chunks of HTTP/1.0",
        raw(f"HTTP/1.0 200 OK\n{TYPE}\ntransfer-encoding: chunked", chunk(BODY) + b"0\r\n\r\n"),
        BAD,
    ),
    ("chunks", chunked(chunk(BODY) + b"0\r\n\r\n"), FINE),
    ("a chunk with an extension", chunked(chunk(BODY, b";x=" + C) + b"0\r\n\r\n"), BAD),
    ("a chunk of no size", chunked(b"xyz\r\n" + BODY), BAD),
    ("a chunk that goes on", chunked(b"5\r\n" + BODY), BAD),
    ("chunks without the last", chunked(chunk(BODY)), BAD),
    ("chunks that end with a line feed", chunked(chunk(BODY) + b"0\n\n"), BAD),
    ("chunks and more behind them", chunked(chunk(BODY) + b"0\r\n\r\n" + FINAL + C), FINE),
    ("a trailer", chunked(chunk(b"{}") + b"0\r\nx-patient: " + C + b"\r\n\r\n"), BAD),
    (
        "a trailer that was announced",
        sized("transfer-encoding: chunked", "trailer: x", body=chunk(BODY) + b"0\r\nx: y\r\n\r\n"),
        BAD,
    ),
    ("a second answer", Raw([FINAL + FINAL.replace(BODY, C)]), FINE),
]
FIELDS = [
    (
        "fields that speak",
        led(
            *[
                f"{name}: {CANARY_TEXT}"
                for name in (
                    *(
                        "set-cookie",
                        "location",
                        "link",
                        "refresh",
                        "server",
                        "via",
                        "warning",
                        "x-patient",
                        "content-disposition",
                    ),
                    *(
                        "content-location",
                        "content-language",
                        "etag",
                        "last-modified",
                        "digest",
                        "content-md5",
                        "repr-digest",
                    ),
                    *(
                        "alt-svc",
                        "www-authenticate",
                        "retry-after",
                        "x-request-id",
                        "phi-exchange",
                        "phi-rule",
                        "server-timing",
                    ),
                    *(
                        "access-control-allow-origin",
                        "strict-transport-security",
                        "connection",
                        "keep-alive",
                        "upgrade",
                        "age",
                    ),
                )
            ]
        ),
        FINE,
    ),
    ("a name that speaks", led(f"x-{CANARY_SSN}: y"), FINE),
    (
        "answers of ours",
        led("phi-decision: deny", "phi-reason: x", "x-should-retry: true", "cache-control: public"),
        FINE,
    ),
    ("an error with fields that speak", led(f"www-authenticate: {CANARY_TEXT}", status="401 No", body=b"{}"), {401}),
    ("a folded line", led(f"x: a\n {CANARY_TEXT}"), BAD),
    ("a bare carriage return", led(f"x: a\rset-cookie: {CANARY_TEXT}"), BAD),
    ("a NUL", led("x: a\0b"), BAD),
    ("an escape", led("x: \x1b[2J"), BAD),
    ("a line without a colon", led(CANARY_SSN), BAD),
    ("a blank before a colon", led("transfer-encoding : chunked"), BAD),
    ("a field without a name", led(f": {CANARY_TEXT}"), BAD),
    ("a name of other letters", led("x\xe9: y"), BAD),
    ("fields without an end", Raw([b"HTTP/1.1 200 OK\r\n" + b"x: " + C + b"\r\n"] + [b"x: y\r\n" * 5000] * 5), BAD),
    ("a field without an end", Raw([b"HTTP/1.1 200 OK\r\nx: " + b"y" * 100_000]), BAD),
    ("two types", led("content-type: text/plain"), BAD),
    ("two encodings", led("content-encoding: gzip", "content-encoding: identity"), BAD),
]
BOMB = gzip.compress(b'{"a":"' + b"0" * 70_000_000 + b'"}', 1)
ENCODED = [
    ("gzip", coded("gzip", gzip.compress(BODY)), FINE),
    ("gzip under its old name", coded("x-gzip", gzip.compress(BODY)), FINE),
    ("brotli", coded("br", brotli.compress(BODY)), FINE),
    ("zstandard", coded("zstd", zstandard.compress(BODY)), FINE),
    ("two members of gzip", coded("gzip", gzip.compress(b"{}") + gzip.compress(BODY)), BAD),
    ("two frames of zstandard", coded("zstd", zstandard.compress(b"{}") + zstandard.compress(BODY)), BAD),
    ("gzip and more behind it", coded("gzip", gzip.compress(BODY) + C), BAD),
    ("brotli and more behind it", coded("br", brotli.compress(b"{}") + C), BAD),
    ("half of gzip", coded("gzip", gzip.compress(BODY)[:-9]), BAD),
    ("half of brotli", coded("br", brotli.compress(BODY)[:-2]), BAD),
    ("a bomb", coded("gzip", BOMB), BAD),
    ("deflate", coded("deflate", zlib.compress(BODY)), BAD),
    ("gzip twice", coded("gzip, gzip", gzip.compress(gzip.compress(BODY))), BAD),
    ("gzip, said to be plain", Answer(gzip.compress(BODY), headers=JSON), BAD),
    ("plain, said to be gzip", coded("gzip", BODY), BAD),
    ("an encoding that nobody knows", coded("zebra", BODY), BAD),
    ("a compressed error", Answer(gzip.compress(C), status=500, headers={"content-encoding": "gzip"}), {500}),
    (
        "an error that is half compressed",
        Answer(b"\x1f\x8b" + C, status=500, headers={"content-encoding": "gzip"}),
        {500, 502},
    ),
]


def tree(text):
    return json.dumps({"choices": [{"index": 0, "message": {"role": "assistant", "content": text}}]}).encode()


BODIES = [
    *[
        (f"the type {kind}", typed(kind), BAD)
        for kind in ("text/plain", "text/html", "image/png", "application/octet-stream", "application/x-ndjson")
    ],
    ("many parts", typed("multipart/x-mixed-replace; boundary=x", b"--x\r\n\r\n" + C), BAD),
    ("a type that speaks", typed(CANARY_TEXT, BODY), BAD),
    ("a type with a word that speaks", typed(f'application/json; x="{CANARY_SSN}"', BODY), FINE),
    ("no type", Answer(C, headers={}), BAD),
    ("nothing", Answer(b"", headers=JSON), BAD),
    ("broken JSON", Answer(b'{"choices": "' + C, headers=JSON), BAD),
    ("JSON and more behind it", Answer(BODY + C, headers=JSON), BAD),
    ("JSON behind a guard against scripts", Answer(b")]}',\n" + BODY, headers=JSON), BAD),
    ("JSON with a mark of byte order", Answer(b"\xef\xbb\xbf" + BODY, headers=JSON), BAD),
    ("JSON in UTF-16", Answer(BODY.decode().encode("utf-16"), headers=JSON), BAD),
    ("JSON that is a list", Answer(json.dumps([CANARY_TEXT]).encode(), headers=JSON), BAD),
    ("JSON that is a text", Answer(json.dumps(CANARY_TEXT).encode(), headers=JSON), FINE),
    ("not a number", Answer(b'{"x": NaN, "y": "' + C + b'"}', headers=JSON), BAD),
    ("half a surrogate", Answer(b'{"x": "\\ud800", "y": "' + C + b'"}', headers=JSON), BAD),
    ("bytes that are no text", Answer(b'{"x": "\xff", "y": "' + C + b'"}', headers=JSON), BAD),
    ("lists without an end", Answer(b'{"x":' + b"[" * 100_000, headers=JSON), BAD),
    ("lists in lists", Answer(b'{"x":' + b"[" * 500 + b'"' + C + b'"' + b"]" * 500 + b"}", headers=JSON), BAD),
    ("a member twice", Answer(b'{"choices": "' + C + b'", ' + tree(CANARY_TEXT)[1:], headers=JSON), FINE),
    ("names that speak", Answer(json.dumps({CANARY_TEXT: {CANARY_SSN: 1}}).encode(), headers=JSON), FINE),
    (
        "escapes",
        Answer("".join(f"\\u{ord(each):04x}" for each in CANARY_TEXT).join(['{"x":"', '"}']).encode(), headers=JSON),
        FINE,
    ),
    ("an error that is no JSON", Answer(C, status=500, headers={"content-type": "text/html"}), {500}),
    (
        "an error that repeats the prompt",
        Answer.json(
            {"error": {"message": CANARY_TEXT, "input": [CANARY_SSN], CANARY_SSN: 1}, "detail": CANARY_TEXT}, status=422
        ),
        {422},
    ),
    (
        "an error of a server in front",
        Answer(b"<h1>" + C + b"</h1>", status=503, headers={"content-type": "text/html"}),
        {503},
    ),
    ("an error without an end", raw("HTTP/1.1 500 No\ncontent-length: 5000"), {500, 502}),
]
ENDS = [
    ("nothing at all", Raw([b"", CUT]), BAD),
    ("half a status", Raw([b"HTTP/1.1 2", CUT]), BAD),
    ("half a head", Raw([b"HTTP/1.1 200 OK\r\nx: " + C, CUT]), BAD),
    ("a head and no body", Raw([FINAL.partition(b"{")[0], CUT]), BAD),
    ("half a body", Raw([FINAL[:-60], CUT]), BAD),
    (
        "half a chunk",
        Raw([b"HTTP/1.1 200 OK\r\n" + TYPE.encode() + b"\r\ntransfer-encoding: chunked\r\n\r\nfff\r\n" + C, CUT]),
        BAD,
    ),
]


def events(*lines, kind="text/event-stream", **more):
    """A stream that no line of may pass as it is."""
    return Answer(b"".join(line.encode() + b"\n\n" for line in lines), headers={"content-type": kind} | more)


DELTA = json.dumps({"choices": [{"index": 0, "delta": {"content": CANARY_TEXT}}]})
STREAMS = [
    ("a comment that speaks", events(f": {CANARY_TEXT}", "data: [DONE]"), FINE),
    ("an id that speaks", events(f"id: {CANARY_TEXT}\ndata: {DELTA}", "data: [DONE]"), FINE),
    ("a kind that speaks", events(f"event: {CANARY_TEXT}\ndata: {DELTA}", "data: [DONE]"), FINE),
    ("a pause that speaks", events(f"retry: {CANARY_SSN}\ndata: {DELTA}", "data: [DONE]"), FINE),
    ("a field that nobody knows", events(f"x: {CANARY_TEXT}\ndata: {DELTA}", "data: [DONE]"), FINE),
    ("a mark of byte order", events(f"\ufeffdata: {DELTA}", "data: [DONE]"), FINE),
    ("carriage returns", events(f"data: {DELTA}\r\rdata: {DELTA}\r\r", "data: [DONE]"), FINE),
    ("data in many lines", events("data: " + DELTA.replace(", ", ",\ndata: "), "data: [DONE]"), BROKEN_OFF),
    ("an error that speaks", events(f'data: {{"error": {{"message": "{CANARY_TEXT}"}}}}'), FINE),
    ("an event of two members of one name", events(f'data: {{"choices": "{CANARY_TEXT}", {DELTA[1:]}'), FINE),
    ("data that is a text", events(f'data: "{CANARY_TEXT}"'), BROKEN_OFF),
    ("data behind the end", events("data: [DONE]", f"data: {DELTA}"), FINE),
    (
        "an event that is not over",
        Answer(f"data: {DELTA}".encode(), headers={"content-type": "text/event-stream"}),
        FINE,
    ),
    ("another letter set", events(f"data: {DELTA}", kind="text/event-stream; charset=utf-16"), FINE),
    (
        "a compressed stream and more",
        typed("text/event-stream", gzip.compress(f"data: {DELTA}\n\n".encode()) + C, **{"content-encoding": "gzip"}),
        BROKEN_OFF,
    ),
    ("a compressed bomb", typed("text/event-stream", BOMB, **{"content-encoding": "gzip"}), BROKEN_OFF),
    ("a stream of another kind", events(json.dumps({"x": CANARY_TEXT}), kind="application/x-ndjson"), BAD),
]
WHOLE = STATUS + INTERIM + LENGTHS + FIELDS + ENCODED + BODIES + ENDS

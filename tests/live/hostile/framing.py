"""Where a request ends, and in which words it begins (RFC 9112)."""

from tests.live.hostile.wire import (
    BEARER,
    BODY,
    CHUNKED,
    HOST,
    KIND,
    LARGE,
    LINE,
    METHOD,
    PROBE,
    SSN,
    UNKNOWN,
    C,
    chunks,
    get,
    passes,
    post,
    refused,
    shut,
)
from tests.live.hostile.wire import Row as Waiting

N = b"%d" % len(BODY)
SPLIT = ((400,),)
"""What is left of a body begins another request, which is none."""


def sized(*lines, body=BODY):
    """A request with these fields of its length, in this order."""
    return post(size=b"".join(line + b"\r\n" for line in lines), body=body)


def chunked(body, field=CHUNKED):
    return post(size=field, body=body)


LENGTHS = [
    refused("two lengths that agree", sized(b"Content-Length: " + N, b"Content-Length: " + N)),
    refused("two lengths that do not", sized(b"Content-Length: 5", b"Content-Length: " + N)),
    refused("a list of lengths", sized(b"Content-Length: " + N + b", " + N)),
    refused("a length with a plus", sized(b"Content-Length: +" + N)),
    refused("a length below nothing", sized(b"Content-Length: -1")),
    refused("a length in sixteens", sized(b"Content-Length: 0x10")),
    refused("a length with a nought before it", sized(b"Content-Length: 0" + N)),
    refused("a length with a line in it", sized(b"Content-Length: 1_0")),
    refused("a length with a blank in it", sized(b"Content-Length: 1 0")),
    refused("a length that is a fraction", sized(b"Content-Length: 10.0")),
    refused("a length in other digits", sized("Content-Length: \u0661\u0662".encode())),
    refused("a length that is a word", sized(b"Content-Length: " + SSN)),
    refused("a length with a NUL", sized(b"Content-Length: " + N + b"\0")),
    shut("a length with a form feed behind it", sized(b"Content-Length: " + N + b"\x0c")),
    shut("a length with a vertical tab before it", sized(b"Content-Length:\x0b" + N)),
    refused("a length larger than any body", sized(b"Content-Length: 99999999999999"), (413, "too-large")),
    refused("a length larger than any number", sized(b"Content-Length: " + b"9" * 400), (413, "too-large")),
    refused("no length and a body", sized(), behind=SPLIT),
    refused("a length of nothing and a body", sized(b"Content-Length: 0"), behind=SPLIT),
    refused("a length that is too short", sized(b"Content-Length: 5"), behind=SPLIT),
    Waiting("a length that is too long", sized(b"Content-Length: 9999"), (), waits=True),
    shut("a blank before the colon of a length", sized(b"Content-Length : " + N)),
    shut("a length that is folded", sized(b"Content-Length:\r\n " + N)),
    passes("a length with a tab before it", sized(b"Content-Length:\t" + N)),
    passes("a length under a name that only looks alike", sized(b"Content_Length: 5", b"Content-Length: " + N)),
]

CODINGS = [
    passes("chunks", chunked(chunks(BODY[:9], BODY[9:]))),
    passes("chunks, said in capitals", chunked(chunks(BODY), b"Transfer-Encoding: CHUNKED\r\n")),
    passes("a chunk's size with noughts", chunked(b"00%x\r\n" % len(BODY) + BODY + b"\r\n0\r\n\r\n")),
    refused("length and chunks", chunked(chunks(BODY), b"Content-Length: 5\r\n" + CHUNKED)),
    refused("chunks and length", chunked(chunks(BODY), CHUNKED + b"Content-Length: " + N + b"\r\n")),
    refused("two codings in two fields", chunked(chunks(BODY), CHUNKED + CHUNKED)),
    refused("chunks in chunks", chunked(chunks(chunks(BODY)), b"Transfer-Encoding: chunked, chunked\r\n")),
    refused("compressed chunks", chunked(chunks(BODY), b"Transfer-Encoding: gzip, chunked\r\n")),
    refused("chunks that are compressed", chunked(chunks(BODY), b"Transfer-Encoding: chunked, gzip\r\n")),
    refused("a coding without chunks", chunked(chunks(BODY), b"Transfer-Encoding: gzip\r\n")),
    refused("no coding, as a coding", chunked(chunks(BODY), b"Transfer-Encoding: identity\r\n")),
    refused("a coding that is none", chunked(chunks(BODY), b"Transfer-Encoding: xchunked\r\n")),
    refused("a coding in quotes", chunked(chunks(BODY), b'Transfer-Encoding: "chunked"\r\n')),
    refused("a coding with a parameter", chunked(chunks(BODY), b"Transfer-Encoding: chunked;q=1\r\n")),
    refused("an empty coding", chunked(chunks(BODY), b"Transfer-Encoding:\r\n")),
    refused("a coding and a comma", chunked(chunks(BODY), b"Transfer-Encoding: chunked,\r\n")),
    refused("a coding that speaks", chunked(chunks(BODY), b"Transfer-Encoding: " + SSN + b"\r\n")),
    shut("a coding with a vertical tab", chunked(chunks(BODY), b"Transfer-Encoding:\x0bchunked\r\n")),
    shut("a coding behind a folded line", chunked(chunks(BODY), b"Transfer-Encoding:\r\n chunked\r\n")),
    shut("a coding with a blank before its colon", chunked(chunks(BODY), b"Transfer-Encoding : chunked\r\n")),
    shut("a coding behind a bare line feed", post(b"X: a\nTransfer-Encoding: chunked\r\n")),
    shut("a coding behind a bare carriage return", post(b"X: a\rTransfer-Encoding: chunked\r\n")),
    passes("a coding under a name that only looks alike", post(b"Transfer_Encoding: chunked\r\n")),
    refused("a coding in the Kelvin sign", chunked(chunks(BODY), "Transfer-Encoding: chun\u212aed\r\n".encode())),
    passes("a wish for trailers", post(b"TE: trailers\r\n")),
]

CHUNKS = [
    shut("a chunk with an extension", chunked(b"%x;a=%b\r\n" % (len(BODY), SSN) + BODY + b"\r\n0\r\n\r\n")),
    shut("a chunk with a bare line feed in its extension", chunked(b"5;\nxx\r\nhello\r\n0\r\n\r\n")),
    shut("a chunk whose size ends with a line feed", chunked(b"%x\n" % len(BODY) + BODY + b"\r\n0\r\n\r\n")),
    shut("a chunk with blanks behind its size", chunked(b"%x  \r\n" % len(BODY) + BODY + b"\r\n0\r\n\r\n")),
    shut("a chunk with blanks before its size", chunked(b" %x\r\n" % len(BODY) + BODY + b"\r\n0\r\n\r\n")),
    shut("a chunk with a sign", chunked(b"+%x\r\n" % len(BODY) + BODY + b"\r\n0\r\n\r\n")),
    shut("a chunk below nothing", chunked(b"-1\r\n" + BODY + b"\r\n0\r\n\r\n")),
    shut("a chunk's size with 0x", chunked(b"0x%x\r\n" % len(BODY) + BODY + b"\r\n0\r\n\r\n")),
    shut("a chunk's size with a line in it", chunked(b"1_0\r\n" + BODY + b"\r\n0\r\n\r\n")),
    shut("a chunk's size of many digits", chunked(b"0" * 17 + b"5\r\n" + BODY + b"\r\n0\r\n\r\n")),
    shut("a chunk of no size", chunked(b"\r\n" + BODY + b"\r\n0\r\n\r\n")),
    shut("a chunk that is longer than it says", chunked(b"%x\r\n" % (len(BODY) - 2) + BODY + b"\r\n0\r\n\r\n")),
    shut("a chunk that ends with a line feed", chunked(b"%x\r\n" % len(BODY) + BODY + b"\n0\r\n\r\n")),
    shut("a chunk that ends with anything", chunked(b"%x\r\n" % len(BODY) + BODY + b"XX0\r\n\r\n")),
    shut("chunks that end with a line feed", chunked(chunks(BODY, last=b"0\r\n\n") + PROBE)),
    shut("a trailer", chunked(chunks(BODY, last=b"0\r\nX: " + C + b"\r\n\r\n"))),
    shut("a trailer that says who", chunked(chunks(BODY, last=b"0\r\n" + BEARER + b"\r\n"))),
    shut("a trailer that says how long", chunked(chunks(BODY, last=b"0\r\nContent-Length: 5\r\n\r\n"))),
    shut("a body that is no chunk", chunked(BODY)),
    Waiting("chunks without the last", chunked(chunks(BODY, last=b"")), (), waits=True),
    Waiting("half a chunk", chunked(b"ffff\r\n" + BODY), (), waits=True),
    refused("too many chunks", chunked(chunks(*[b"a" * 999_983] * 18)), (413, "too-large")),
]

SECOND = post()
LINES = [
    passes("two requests at once", post() + SECOND, times=2),
    refused("two requests of which the first is refused", get(b"/x") + get(b"/y"), UNKNOWN, UNKNOWN),
    shut("a second request that is none", get(b"/x") + C + b"\r\n\r\n", UNKNOWN, (400, "malformed")),
    shut("a request that is closed behind the first", get(b"/x", fields=b"Connection: close\r\n") + post(), UNKNOWN),
    refused("HTTP/1.0 without a host", post(line=LINE[:-1] + b"0", host=b"", body=b"{" + C), (400, "malformed")),
    passes("HTTP/1.0", post(line=LINE[:-1] + b"0")),
    refused("HTTP/1.0 in chunks", post(line=LINE[:-1] + b"0", size=CHUNKED, body=chunks(BODY))),
    refused("HTTP/0.9 with its version", post(line=LINE[:-3] + b"0.9")),
    shut("HTTP/0.9", b"GET /v1/models\r\n\r\n"),
    shut("HTTP/0.9 with fields", b"POST /v1/chat/completions\r\n" + HOST + BEARER + KIND + b"\r\n" + BODY),
    refused("HTTP/1.2", post(line=LINE[:-1] + b"2")),
    shut("HTTP/2.0 in lines", post(line=LINE[:-3] + b"2.0")),
    shut("HTTP/3.0 in lines", post(line=LINE[:-3] + b"3.0")),
    shut("HTTP/11", post(line=LINE[:-3] + b"11")),
    shut("HTTP/1.10", post(line=LINE + b"0")),
    shut("HTTP/01.1", post(line=LINE[:-3] + b"01.1")),
    shut("http/1.1", post(line=LINE.replace(b"HTTP", b"http"))),
    shut("no version", post(line=LINE[:-9])),
    shut("another protocol", post(line=LINE.replace(b"HTTP", b"RTSP"))),
    shut("the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + C),
    shut("four words", post(line=LINE.replace(b" HTTP", b" " + SSN + b" HTTP"))),
    shut("two blanks", post(line=LINE.replace(b" HTTP", b"  HTTP"))),
    shut("a tab", post(line=LINE.replace(b" ", b"\t"))),
    shut("a vertical tab", post(line=LINE.replace(b" HTTP", b"\x0bHTTP"))),
    shut("a blank before", post(line=b" " + LINE)),
    shut("a blank behind", post(line=LINE + b" ")),
    shut("an empty line before", b"\r\n" + post()),
    shut("a line feed before", b"\n" + post()),
    shut("line feeds only", post().replace(b"\r\n", b"\n")),
    shut("one line feed only", post().replace(b"\r\nHost", b"\nHost")),
    shut("a line feed at the end of the head", post().replace(b"\r\n\r\n", b"\r\n\n")),
    shut("a carriage return more", post().replace(b"1.1\r\n", b"1.1\r\r\n")),
    shut("a NUL in the line", post(line=LINE.replace(b"chat", b"ch\0t"))),
    shut("an escape in the line", post(line=LINE.replace(b"chat", b"\x1b[31mchat"))),
    shut("a bare carriage return in the line", post(line=LINE.replace(b"chat", b"a\rb"))),
    shut("a method of control bytes", post(line=b"PO\x01ST" + LINE[4:])),
    shut("a method of other letters", post(line="P\u00d6ST".encode() + LINE[4:])),
    shut("no method", post(line=LINE[4:])),
    shut("a method in lower case", post(line=b"post" + LINE[4:])),
    shut("a method in both cases", post(line=b"Post" + LINE[4:])),
    shut("a method that is a value", post(line=SSN + LINE[4:])),
    *[
        refused(f"the method {method.decode()}", get(b"/v1/models", method=method), METHOD)
        for method in (b"OPTIONS", b"TRACE", b"PATCH", b"PROPFIND", b"DEBUG", b"TRACK", b"PURGE", b"LOCK")
    ],
    refused("OPTIONS of everything", get(b"*", method=b"OPTIONS"), METHOD),
    refused("GET of everything", get(b"*"), UNKNOWN),
    refused("a tunnel", get(b"model.example:443", method=b"CONNECT"), (400, "malformed")),
    refused("a tunnel to the model", get(b"127.0.0.1:80", method=b"CONNECT"), (400, "malformed")),
    shut("a tunnel in lower case", get(b"/v1/models", method=b"connect")),
    shut("a method without an end", b"A" * 70_000 + C, LARGE),
    shut("a target without an end", b"GET /" + b"a" * 70_000, LARGE),
    shut("a head without an end", post()[:60] + b"X: y\r\n" * 20_000, LARGE),
    shut("bytes of another protocol", b"\x00\x01\x02" + C + b"\r\n\r\n"),
    shut("a mail", b"EHLO " + C + b"\r\n\r\n"),
    shut("a greeting of SSH", b"SSH-2.0-" + SSN + b"\r\n\r\n"),
]

ROWS = LENGTHS + CODINGS + CHUNKS + LINES

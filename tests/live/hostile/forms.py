"""Forms with a file (RFC 7578), which two parsers take apart in two ways."""

from tests.live.hostile.wire import ENCODED, SSN, UNREADABLE, C, Row, post, refused

TARGET = "/v1/audio/transcriptions"
LINE = f"POST {TARGET} HTTP/1.1".encode()
FORM = b"multipart/form-data; boundary=cut"


def sent(body, kind=FORM):
    return post(line=LINE, kind=b"Content-Type: " + kind + b"\r\n", body=body)


def part(disposition, value=b"x", *more):
    head = b"\r\n".join([b"Content-Disposition: " + disposition, *more])
    return b"--cut\r\n" + head + b"\r\n\r\n" + value + b"\r\n"


MODEL = part(b'form-data; name="model"', b"ward-assistant")
FILE = part(b'form-data; name="file"; filename="a.wav"', C, b"Content-Type: audio/wav")
END = b"--cut--\r\n"
WHOLE = MODEL + FILE + END


def named(disposition, *more):
    """The form with one more part."""
    return sent(MODEL + FILE + part(disposition, C, *more) + END)


ROWS = [
    Row("a form with a file whose name speaks", sent((MODEL + FILE + END).replace(b"a.wav", SSN + b".wav")), (200,)),
    refused("a form: no boundary", sent(WHOLE, b"multipart/form-data")),
    refused("a form: an empty boundary", sent(WHOLE, b"multipart/form-data; boundary=")),
    refused("a form: another boundary", sent(WHOLE, b"multipart/form-data; boundary=put")),
    refused("a form: two boundaries", sent(WHOLE, FORM + b"; boundary=put")),
    refused("a form: a boundary by an extended name", sent(WHOLE, b"multipart/form-data; boundary*=utf-8''cut")),
    refused("a form: a boundary in parts", sent(WHOLE, b"multipart/form-data; boundary*0=c; boundary*1=ut")),
    refused("a form: a boundary with a blank", sent(WHOLE, b'multipart/form-data; boundary="cu t"')),
    refused("a form: a boundary of 71 letters", sent(WHOLE, b"multipart/form-data; boundary=" + b"c" * 71)),
    refused("a form: a letter set", sent(WHOLE, b"multipart/form-data; charset=utf-16; boundary=cut")),
    refused("a form of another kind", sent(WHOLE, b"multipart/mixed; boundary=cut"), UNREADABLE),
    refused("a form, said to be JSON", sent(WHOLE, b"application/json"), UNREADABLE),
    refused("a form: compressed", sent(WHOLE).replace(b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n", 1), ENCODED),
    refused("a form: nothing", sent(b"")),
    refused("a form: no part", sent(END)),
    refused("a form: no end", sent(MODEL + FILE)),
    refused("a form: something before it", sent(C + b"\r\n" + WHOLE)),
    refused("a form: something behind it", sent(WHOLE + C)),
    refused("a form: another form behind it", sent(WHOLE + WHOLE)),
    refused("a form: line feeds only", sent(WHOLE.replace(b"\r\n", b"\n"))),
    refused("a form: one boundary behind a line feed", sent(WHOLE.replace(b"\r\n--cut\r\n", b"\n--cut\r\n"))),
    refused("a form: a boundary that goes on", sent(WHOLE.replace(b"\r\n--cut\r\n", b"\r\n--cutter\r\n"))),
    refused("a form: a boundary with blanks behind it", sent(WHOLE.replace(b"\r\n--cut\r\n", b"\r\n--cut  \r\n"))),
    refused("a form: a file that holds a boundary", sent(WHOLE.replace(C, C + b"\n--cut\n" + C))),
    refused("a form: two files", sent(MODEL + FILE + FILE + END)),
    refused("a form: two models", sent(MODEL + MODEL + FILE + END)),
    refused("a form: no model", sent(FILE + END), (400, "model-missing")),
    refused("a form: a model that is a file", sent(FILE + MODEL.replace(b'"model"', b'"model"; filename="m"') + END)),
    refused("a form: a file that is a text", sent(MODEL + part(b'form-data; name="file"', C) + END)),
    refused("a form: a part without a head", sent(MODEL + FILE + b"--cut\r\n\r\n" + C + b"\r\n" + END)),
    refused(
        "a form: a part without a body",
        sent(MODEL + FILE + b'--cut\r\nContent-Disposition: form-data; name="x"\r\n' + END),
    ),
    refused("a form: a part without a name", named(b"form-data")),
    refused("a form: an empty name", named(b'form-data; name=""')),
    refused("a form: two names", named(b'form-data; name="x"; name="model"')),
    refused("a form: a name without quotes", named(b"form-data; name=model")),
    refused("a form: an extended name", named(b"form-data; name*=utf-8''model")),
    refused("a form: an escaped name", named(b'form-data; name="mo\\del"')),
    refused("a form: a name with a NUL", named(b'form-data; name="model\0"')),
    refused("a form: a name that speaks", named(b'form-data; name="' + C + b'"')),
    refused("a form: a name that is a path", named(b'form-data; name="../model"')),
    refused("a form: an attachment", named(b'attachment; name="x"')),
    refused("a form: two file names", named(b'form-data; name="file"; filename="a"; filename="b"')),
    refused("a form: an extended file name", named(b"form-data; name=\"file\"; filename*=utf-8''" + SSN)),
    refused("a form: a file name with a line break", named(b'form-data; name="file"; filename="a\r\nX: y"')),
    refused("a form: an encoded part", named(b'form-data; name="x"', b"Content-Transfer-Encoding: base64")),
    refused("a form: two dispositions", named(b'form-data; name="x"', b'Content-Disposition: form-data; name="model"')),
    refused("a form: a folded head", named(b'form-data;\r\n name="x"')),
    refused("a form: a head without a colon", named(b'form-data; name="x"', SSN)),
    refused("a form: a field that nobody knows", named(b'form-data; name="x"', b"X-Patient: " + C)),
    refused("a form: text that is none", sent(MODEL + FILE + part(b'form-data; name="prompt"', b"\xff" + C) + END)),
    refused("a form: a hundred parts and one", sent(MODEL + FILE + part(b'form-data; name="x[]"') * 100 + END)),
    refused(
        "a form: parts within a part",
        named(b'form-data; name="x"', b"Content-Type: multipart/mixed; boundary=in", b"X: y"),
    ),
]

"""What a request says of its deployment: a narrow form, where a model is changed, or nothing at all."""

import pytest

from phigate.access.deployment import deployment_of, stated

HEX = "9f" * 32
MANAGES, CHATS = frozenset({"manage-models"}), frozenset({"chat"})
CASES = [
    ("nothing", {}, CHATS, (None, False)),
    ("a question", {b"phi-ask": b"ticket"}, CHATS, (None, True)),
    ("a question of nobody", {b"phi-ask": b"yes"}, CHATS, None),
    ("an empty question", {b"phi-ask": b""}, CHATS, None),
    ("a deployment", {b"phi-deployment": f"version=2.1.0, digest=sha256:{HEX}".encode()}, MANAGES, True),
    ("one without a blank", {b"phi-deployment": f"version=2.1.0,digest={HEX}".encode()}, MANAGES, True),
    ("one of a chat", {b"phi-deployment": f"version=2.1.0, digest={HEX}".encode()}, CHATS, None),
    ("one without a digest", {b"phi-deployment": b"version=2.1.0"}, MANAGES, None),
    ("one with prose", {b"phi-deployment": f"version=for Jane Roe, digest={HEX}".encode()}, MANAGES, None),
    ("one with a line", {b"phi-deployment": f"version=2, digest={HEX}\n".encode()}, MANAGES, None),
    ("one that is no text", {b"phi-deployment": b"version=\xff, digest=\xff"}, MANAGES, None),
]


@pytest.mark.parametrize(("sentence", "fields", "actions", "expected"), CASES, ids=[case[0] for case in CASES])
def test_a_request_says(sentence, fields, actions, expected):
    found = stated(fields, actions)
    if expected is True:
        assert found in {(("2.1.0", digest), False) for digest in (HEX, f"sha256:{HEX}")}
    else:
        assert found == expected


FORMS = [
    ("2.1.0", HEX, True),
    ("2026-11-26", "sha256:" + HEX, True),
    ("v1", "9f" * 20, True),
    ("v1", "sha512:" + "0" * 128, True),
    ("v1", "sha256:" + "Z" * 64, False),
    ("v1", "md5:" + HEX, False),
    ("v1", HEX[:-1], False),
    ("", HEX, False),
    ("-v", HEX, False),
    ("v" * 65, HEX, False),
    ("Jane Roe", HEX, False),
    (1, HEX, False),
    ("v1", None, False),
]


@pytest.mark.parametrize(("version", "digest", "fits"), FORMS)
def test_a_deployment_has_a_version_and_a_digest(version, digest, fits):
    assert deployment_of(version, digest) == ((version, digest) if fits else None)

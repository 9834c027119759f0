"""Notes beside the specification's examples, the vectors of its first implementation, and a public reader."""

import base64
import contextlib
import struct

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sigstore._internal.rekor.checkpoint import SignedCheckpoint
from sigstore._internal.trust import Keyring, RekorKeyring
from sigstore._utils import KeyID
from sigstore.errors import VerificationError
from sigstore_models.common.v1 import PublicKey, PublicKeyDetails

from phigate.journal import note
from phigate.journal.note import Checkpoint, NoteFault, Vkey

# The key, text and signature of the tests of the Go module `sumdb/note`, which C2SP signed-note describes.
PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
SEED = base64.b64decode("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")[1:]
TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
SIGNED = (
    "\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
NOTE = f"{TEXT}\n{SIGNED}".encode()

# The example of C2SP tlog-checkpoint.
SOFA = """example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

\u2014 example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
"""  # noqa: E501 - a note's line is as long as it is

KEY = Ed25519PrivateKey.from_private_bytes(b"\7" * 32)
OURS = note.vkey_of("phigate/gw-1", KEY)
HEAD = Checkpoint("phigate/gw-1", 7, b"\1" * 32, ("file gw-1-20261123T150405Z-0.jsonl", "last " + "ab" * 32))


def signed(text=None):
    return note.sign(HEAD.text() if text is None else text, OURS, KEY)


# -- keys -----------------------------------------------------------------------------------------------------------


def test_a_key_says_its_name_its_id_and_its_bytes():
    key = note.parse_vkey(PETER)
    assert (key.name, key.id.hex()) == ("PeterNeumann", "c74f20a3")
    assert str(key) == PETER
    assert note.parse_vkey(PETER + "\n") == key
    assert note.vkey_of("PeterNeumann", Ed25519PrivateKey.from_private_bytes(SEED)) == key


@pytest.mark.parametrize("place", range(len(PETER)))
def test_no_altered_key_is_a_key(place):
    for other in {"A", "b", "0", "+", PETER[place - 1]} - {PETER[place]}:
        with pytest.raises(NoteFault):
            note.parse_vkey(PETER[:place] + other + PETER[place + 1 :])


@pytest.mark.parametrize("cut", range(len(PETER)))
def test_no_part_of_a_key_is_a_key(cut):
    for part in (PETER[:cut], PETER[cut + 1 :]):
        with pytest.raises(NoteFault):
            note.parse_vkey(part)


def test_a_key_of_another_kind_is_not_taken_for_one_of_ours():
    other = base64.b64encode(b"\4" + note.parse_vkey(PETER).public).decode()
    with pytest.raises(NoteFault, match="not an Ed25519 key"):
        note.parse_vkey(f"PeterNeumann+c74f20a3+{other}")


# -- notes ----------------------------------------------------------------------------------------------------------


def test_the_reference_note_is_signed_byte_for_byte():
    assert note.sign(TEXT, note.parse_vkey(PETER), Ed25519PrivateKey.from_private_bytes(SEED)) == NOTE


def test_the_reference_note_holds_under_its_key_only():
    read = note.parse(NOTE)
    assert read.text == TEXT
    assert note.holds(read, note.parse_vkey(PETER))
    assert not note.holds(read, OURS)
    assert not note.holds(read, Vkey("PeterNeumann", OURS.public))
    assert not note.holds(read, Vkey("PeterNeuman", note.parse_vkey(PETER).public))


def test_no_single_byte_of_a_note_can_be_changed():
    ours = signed()
    for place in range(len(ours)):
        for bit in (1, 32):
            changed = bytearray(ours)
            changed[place] ^= bit
            with contextlib.suppress(NoteFault):
                assert not note.holds(note.parse(bytes(changed)), OURS), place


def test_signatures_of_others_are_passed_over_but_one_of_ours_that_is_false_is_not():
    ours = signed()
    assert note.holds(note.parse(ours + SIGNED.encode()), OURS)
    false = "\u2014 phigate/gw-1 " + base64.b64encode(OURS.id + b"\0" * 64).decode() + "\n"
    assert not note.holds(note.parse(ours + false.encode()), OURS)
    assert not note.holds(note.parse(ours.replace(ours.splitlines(keepends=True)[-1], SIGNED.encode())), OURS)


def test_the_text_ends_at_the_last_empty_line():
    text = "one\n\ntwo\n"
    assert note.parse(note.sign(text, OURS, KEY)).text == text


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\n\n",
        TEXT.encode(),
        TEXT.encode() + b"\n",
        NOTE[:-1],
        NOTE + b"\n",
        NOTE + b"more\n",
        b"\n" + NOTE[NOTE.index(b"\n\n") :][1:],
        NOTE.replace(b"\xe2\x80\x94", b"-"),
        NOTE.replace(b"\xe2\x80\x94 ", b"\xe2\x80\x94  "),
        NOTE.replace(b"PeterNeumann", b"Peter+Neumann"),
        NOTE.replace(b"x08go/", b"x08go_"),
        NOTE.replace(b"nAM=", b"nAN="),
        NOTE.replace(b"nAM=", b"nAM"),
        NOTE.replace(b"problem", b"pro\tblem"),
        NOTE.replace(b"problem", b"pro\xffblem"),
        NOTE.replace(b"\n", b"\r\n"),
        TEXT.encode() + b"\n\xe2\x80\x94 a AAAAAA==\n",
        NOTE + SIGNED.encode() * note.MAX_SIGNATURES,
        b"x" * note.MAX_NOTE + NOTE,
    ],
)
def test_what_is_no_note(raw):
    with pytest.raises(NoteFault):
        note.parse(raw)


@pytest.mark.parametrize("text", ["no end", "a\tb\n", "a\x00\n"])
def test_what_is_never_signed(text):
    with pytest.raises(NoteFault):
        note.sign(text, OURS, KEY)


# -- checkpoints ----------------------------------------------------------------------------------------------------


def test_the_specification_s_checkpoint_is_read():
    read = note.parse_checkpoint(note.parse(SOFA.encode()).text)
    assert read == Checkpoint("example.com/behind-the-sofa", 20852163, base64.b64decode(SOFA.split("\n")[2]))
    assert read.text() == SOFA.partition("\n\n")[0] + "\n"


def test_a_checkpoint_comes_back_as_it_was_written():
    read = note.parse_checkpoint(note.parse(signed()).text)
    assert read == HEAD
    assert read.told("file") == "gw-1-20261123T150405Z-0.jsonl"
    assert read.told("last") == "ab" * 32
    assert read.told("time") is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "o\n1\n",
        "o\n01\n" + SOFA.split("\n")[2] + "\n",
        "o\n-1\n" + SOFA.split("\n")[2] + "\n",
        "o\n\u0661\n" + SOFA.split("\n")[2] + "\n",
        "o\n1\n" + SOFA.split("\n")[2],
        "o\n1\n" + SOFA.split("\n")[2] + "\n\n",
        "\n1\n" + SOFA.split("\n")[2] + "\n",
        "o\n1\nAAAA\n",
        "o\n1\nno base64\n",
    ],
)
def test_what_is_no_checkpoint(text):
    with pytest.raises(NoteFault):
        note.parse_checkpoint(text)


def test_a_public_reader_of_checkpoints_reads_ours():
    theirs = SignedCheckpoint.from_text(signed().decode())
    assert theirs.checkpoint.origin == HEAD.origin
    assert theirs.checkpoint.log_size == HEAD.size
    assert theirs.checkpoint.log_hash == HEAD.root.hex()
    assert theirs.checkpoint.other_content == list(HEAD.extensions)
    (signature,) = theirs.signed_note.signatures
    assert (signature.name, signature.sig_hash) == (OURS.name, struct.unpack(">4s", OURS.id)[0])


@pytest.mark.parametrize("key", [KEY, Ed25519PrivateKey.from_private_bytes(SEED)])
def test_a_public_reader_of_checkpoints_checks_the_signature_of_ours(key):
    der = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    trusted = PublicKey(raw_bytes=base64.b64encode(der), key_details=PublicKeyDetails.PKIX_ED25519)
    theirs = SignedCheckpoint.from_text(signed().decode()).signed_note
    with contextlib.ExitStack() as stack:
        if key is not KEY:
            stack.enter_context(pytest.raises(VerificationError, match="invalid signature"))
        theirs.verify(RekorKeyring(Keyring([trusted])), KeyID(OURS.id))


# -- several in one file --------------------------------------------------------------------------------------------


def test_notes_stand_one_after_another():
    second = signed(Checkpoint("phigate/gw-1", 9, b"\2" * 32).text())
    found = list(note.pieces(signed() + second))
    assert [(each.line, each.raw, each.whole) for each in found] == [(1, signed(), True), (8, second, True)]
    assert list(note.pieces(b"")) == []


@pytest.mark.parametrize("cut", range(1, len(signed())))
def test_a_torn_last_note_is_told_apart(cut):
    found = list(note.pieces(signed() + signed()[:-cut]))
    assert found[0].whole
    assert b"".join(each.raw for each in found) == signed() + signed()[:-cut]
    assert not all(each.whole for each in found)


def test_what_stands_between_notes_is_not_lost():
    raw = b"\n" + signed() + b"\n\n" + signed() + b"what\n"
    found = list(note.pieces(raw))
    assert b"".join(each.raw for each in found) == raw
    assert [(each.line, each.whole) for each in found] == [
        (1, False),
        (2, True),
        (9, False),
        (10, False),
        (11, True),
        (18, False),
    ]


@pytest.mark.parametrize("junk", [b"x\n", b"\n", b"x\n\n", b"\xe2\x80\x94 a b\n", b"x"])
def test_reading_notes_takes_time_in_proportion(junk):
    pieces = list(note.pieces(junk * 50_000 + b"\n" + signed()))
    assert sum(len(each.raw) for each in pieces) == 50_000 * len(junk) + 1 + len(signed())

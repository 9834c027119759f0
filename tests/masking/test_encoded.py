"""What is hidden on purpose is found as a whole run; ordinary text is left alone."""

from __future__ import annotations

import base64
import random
import re
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phigate.masking import Detectors
from phigate.masking.detector import Detector
from phigate.masking.encoded import CAP, UNDECODABLE, Encoded

if TYPE_CHECKING:
    from phigate.masking.evidence import Hit

PLAIN = Detectors()
ENCODED = Encoded(PLAIN.find)
DECOYS = Detectors((Detector("any", "PERSON", r"(?P<id>Ada Myles|219-09-9999|bcdefg|\x{E9}bcdefg)"),))
SECRET = "Patient: Ada Brandt, SSN 219-09-9999"
NOISE = base64.b64encode(random.Random(7).randbytes(600)).decode()


def hits(text: str, sizes: list[int] | None = None) -> list[Hit]:
    reader = ENCODED.reader()
    found, at, turn = [], 0, 0
    while at < len(text):
        size = sizes[turn % len(sizes)] if sizes else len(text)
        found += reader.feed(text[at : at + size])
        assert len(text[:at]) - reader.settled <= 2 * CAP
        at, turn = at + size, turn + 1
    return found + reader.close()


@pytest.mark.parametrize(
    ("hidden", "detector"),
    [
        (base64.b64encode(SECRET.encode()).decode(), "base64"),
        (base64.urlsafe_b64encode(SECRET.encode()).decode().rstrip("="), "base64"),
        (SECRET.encode().hex(), "hexadecimal"),
        ("0x" + SECRET.encode().hex().upper(), "hexadecimal"),
        ("Patient%3A%20Ada%20Brandt", "percent"),
        ("2 1 9 - 0 9 - 9 9 9 9", "spaced"),
        ("M R N  7 0 4 1 8", "spaced"),
        ("2 1 9 0 9 9 9 9 9", "spaced"),
        ("2, 1, 9, 0, 9, 9, 9, 9, 9", "spaced"),
        ("two one nine, oh nine, nine 9 nine nine", "spelled"),
        ("Eight-One-Three five five five zero one four seven", "spelled"),
        (base64.b64encode(base64.b64encode(SECRET.encode())).decode(), "base64"),
        (base64.encodebytes(b"what is written before it makes two lines: " + SECRET.encode()).decode()[:-1], "base64"),
        ("\n".join(re.findall(".{1,20}", SECRET.encode().hex())), "hexadecimal"),
        ("9999-90-912", "backwards"),
        ("7410-555-813", "backwards"),
    ],
)
def test_a_hidden_identifier_is_found_as_the_run_that_hides_it(hidden: str, detector: str) -> None:
    text = f"it is {hidden}\n, so"
    (hit,) = hits(text)
    assert (text[hit.begin : hit.end], hit.detector) == (hidden, detector)


@pytest.mark.parametrize("text", ["it is selyM adA", "it is\u00e9 2 1 9 - 0 9 - 9 9 9 9", "\u00e9 b c d e f g"])
@pytest.mark.parametrize("size", [1, 2, 6, 12])
def test_what_goes_on_after_a_blank_is_waited_for(text: str, size: int) -> None:
    reader = Encoded(DECOYS.find).reader()
    fed = [hit for at in range(0, len(text), size) for hit in reader.feed(text[at : at + size])] + reader.close()
    assert fed == Encoded(DECOYS.find).hits(text)
    assert fed


@pytest.mark.parametrize(
    "text",
    [
        "gastroenterology and otorhinolaryngology",
        "a well-established-pattern-of-care",
        "A B C D E of care; 1 2 3 4 5 6 7",
        base64.b64encode(b"nothing to see here at all").decode(),
        "the vitamin B 12 and T 4 N 0",
        "---------------------------------------------------------------------------------",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "gpt-4o-mini-2024-07-18-some-long-model-name-of-a-vendor",
        "mL kG pH",
        "PHQ-9: 1 2 2 1 0 3 1 0 2 of 27",
        "she counted one two three four five six seven eight",
        "one or two of three; four, five",
        "NIHSS 0 0 0 0 0 0 0 0 0 0",
        "administration and\ndocumentation and\n",
    ],
)
def test_ordinary_text_hides_nothing(text: str) -> None:
    assert hits(text) == []


@pytest.mark.parametrize("run", [NOISE[:60], "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b"])
def test_what_looks_encoded_and_cannot_be_read_is_a_finding_of_its_own(run: str) -> None:
    (hit,) = hits(f"see {run} there")
    assert (hit.entity, hit.detector) == ("UNIQUE_ID", UNDECODABLE)
    assert hit.end - hit.begin == len(run)


def test_a_run_that_is_too_long_is_cut_and_covered_to_its_end() -> None:
    found = hits(f"see {NOISE} there")
    assert {hit.detector for hit in found} == {UNDECODABLE}
    assert {at for hit in found for at in range(hit.begin, hit.end)} == set(range(4, 4 + len(NOISE)))
    assert found[0].end - found[0].begin == CAP


def test_a_number_that_is_spelled_is_a_finding_whatever_it_is() -> None:
    (hit,) = hits("MRN seven seven three one zero two eight")
    assert (hit.entity, hit.begin, hit.detector) == ("UNIQUE_ID", 4, "spelled")


@pytest.mark.parametrize(
    "hidden",
    [
        " ".join("whoeverthisisherereallyknownas219099999ok"),
        ", ".join(["two", "one", "nine", "oh"] * 9),
        "".join(f"%{byte:02X}" for byte in SECRET.encode() * 2),
        quote("patient ada brandt, ssn 219-09-9999, who came and went and came again " * 3).replace(".", ""),
        base64.encodebytes(SECRET.encode() * 9).decode()[:-1],
    ],
)
def test_what_is_too_long_to_be_read_is_hidden_to_its_end(hidden: str) -> None:
    found = hits(f"it is {hidden}\n, so")
    assert {at for hit in found for at in range(hit.begin, hit.end)} >= set(range(6, 6 + len(hidden) - 1))


PARTS = st.sampled_from(
    [
        *("it is ", " ", "x", "A B C ", "1 2 3", " - ", "4 5", ". ", "%41", "Ada", "htimS", " nhoJ", "9999-", "90-912"),
        *(base64.b64encode(SECRET.encode()).decode(), SECRET.encode().hex(), NOISE[:50], NOISE, "=" * 9, "J-o-h-n-S"),
        *(
            "one",
            "two ",
            "nine, ",
            "Five-",
            "5 ",
            "A, ",
            "x y z ",
            "5,3,",
            "\r",
            "a1B2c3D4e5F6g7H8\n",
            "two one nine oh nine ",
        ),
        *("a" * 200, "Patient%3A%20Ada%20Brandt", "é", "\n"),
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(PARTS, max_size=8).map("".join), st.lists(st.integers(1, 30), min_size=1, max_size=6))
def test_the_hits_are_the_same_at_any_chunking(text: str, sizes: list[int]) -> None:
    assert hits(text, sizes) == hits(text)


@settings(max_examples=100, deadline=None)
@given(st.lists(PARTS, max_size=8).map("".join))
def test_what_begins_before_the_settled_place_has_been_given(text: str) -> None:
    reader, given_hits, expected = ENCODED.reader(), [], hits(text)
    for each in text:
        given_hits += reader.feed(each)
        assert {hit for hit in expected if hit.begin < reader.settled} <= set(given_hits)

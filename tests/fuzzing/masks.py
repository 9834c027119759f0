"""Texts: the same findings at any chunking, nothing lost, and a canary never in the clear."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from phigate.masking import Memory, default_detectors
from tests.fuzzing.target import Target, alike, hold
from tests.seen import sight
from tests.traffic import CANARY_MRN, CANARY_SSN

if TYPE_CHECKING:
    from phigate.masking import Detectors, Piece

CANARY = f"\n\nPatient SSN: {CANARY_SSN}, MRN: {CANARY_MRN}.\n\n"


@cache
def _detectors() -> Detectors:
    return default_detectors()


def masking(data: bytes) -> None:
    """A text around a canary, where its first byte says; found in with every source of evidence there is."""
    text = data[1:].decode("utf-8", "replace")
    at = data[0] % (len(text) + 1) if data else 0
    whole = text[:at] + CANARY + text[at:]
    pieces = alike(whole, _scanned, ())
    hold("".join(piece.text for piece in pieces) == whole, "a text that is not all there")
    out = "".join("[]" if piece.entity else piece.text for piece in pieces)
    hold(CANARY_SSN not in out and CANARY_MRN not in out, "a canary in the clear, growing")
    at = 0
    for finding in _detectors().find(whole):
        hold(at <= finding.start < finding.end <= len(whole), "findings that overlap")
        at = finding.end
    caller, shown = sight().text(whole)
    hold(CANARY_SSN not in caller + shown and CANARY_MRN not in caller + shown, "a canary in the clear")


def _scanned(chunks: list[str]) -> list[Piece]:
    scanner = _detectors().scanner(Memory())
    found = [piece for chunk in chunks for piece in scanner.feed(chunk)] + scanner.close()
    joined: list[Piece] = []
    for piece in found:  # what is plain may be handed out in pieces
        if joined and piece.entity is None and joined[-1].entity is None:
            joined[-1] = joined[-1]._replace(text=joined[-1].text + piece.text)
        else:
            joined.append(piece)
    return joined


def texts() -> list[bytes]:
    said = [
        "Ada Quist was seen by Dr. Brandt on March 5, 2024; call (503) 555-0123.",
        '{"patient": {"name": [{"family": "Quist"}], "birthDate": "1949-03-05"}, "resourceType": "Patient"}',
        "MSH|^~\\&|A|B|C|D|20240305||ADT^A01|1|P|2.5\rPID|1||70418||Quist^Ada",
        "Name,MRN,Born\nAda Quist,70418,1949-03-05\n",
        "QWRhIFF1aXN0LCBNUk4gNzA0MTg= and %41da &#65;da \\u0041da",
        "<name>Ada</name> A\u200bda \uff21da A.\u00adD. na\u00efve \U0001f600",
    ]
    return [bytes([at * 7]) + each.encode() for at, each in enumerate(said)]


MASKING = Target(
    masking,
    texts,
    (
        *(
            b"MRN ",
            b"SSN",
            b"Dr. ",
            b"Patient: ",
            b"@",
            b"\xe2\x80\x8b",
            b"\xc2\xad",
            b"&#",
            b"%4",
            b"\\u00",
            b"0123456789",
        ),
        *(
            b"-",
            b"/",
            b"1949-03-05",
            b"(503) 555-",
            b"MSH|^~\\&|",
            b"{",
            b"<",
            b"data:;base64,",
            b"version ",
            b"test",
            b"ISBN ",
        ),
    ),
    256,
)

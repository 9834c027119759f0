"""Content inside a document, as base64: text is decoded, masked and encoded anew; anything else cannot be read."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

from phigate.masking.structure import markup

if TYPE_CHECKING:
    from phigate.masking.structure.treatment import Masker

_TEXT = (
    "text/",
    "application/fhir+json",
    "application/json",
    "application/hl7",
    "application/xml",
    "application/fhir+xml",
)
_ENDS = ("+json", "+xml", "/plain", "hl7-v2", "er7")


def rewrite(data: str, kind: str, masker: Masker) -> str | None:
    """Base64 of the masked content; the same where nothing was found, None where it cannot be read."""
    text = decoded(data) if is_text(kind) else None
    if text is None:
        return None
    marked_up = "html" in kind.lower() or "xml" in kind.lower()
    shown = markup.rewrite(text, masker) if marked_up else masker.document(text)
    return data if shown == text else base64.b64encode(shown.encode()).decode()


def is_text(kind: str) -> bool:
    """Whether a media type is of text; a type that is not given may be."""
    plain = kind.partition(";")[0].strip().lower()
    return not plain or plain.startswith(_TEXT) or plain.endswith(_ENDS)


def decoded(data: str) -> str | None:
    try:
        text = base64.b64decode("".join(data.split()), validate=True).decode()
    except (binascii.Error, ValueError):
        return None
    return None if "\0" in text else text

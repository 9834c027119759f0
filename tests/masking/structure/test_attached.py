"""Content as base64."""

from __future__ import annotations

import base64

import pytest

from phigate.masking.structure import attached
from phigate.masking.structure.recognise import masker
from tests.masking.structure.eyes import SEEING, SHOWING, hide, same


def b64(text):
    return base64.b64encode(text if isinstance(text, bytes) else text.encode()).decode()


@pytest.mark.parametrize("kind", ["text/plain", "application/fhir+json", "application/hl7-v2", ""])
def test_text_is_masked_inside(kind):
    assert attached.rewrite(b64("Anna"), kind, SHOWING) == b64("<Anna>")


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b64("Anna"), "application/pdf"),
        (b64("Anna"), "image/png"),
        ("!!", "text/plain"),
        (b64(b"\xff\xfe"), "text/plain"),
        (b64("a\0b"), "text/plain"),
    ],
)
def test_what_cannot_be_read_is_none(data, kind):
    assert attached.rewrite(data, kind, SHOWING) is None


@pytest.mark.parametrize("kind", ["TEXT/HTML; charset=utf-8", "application/hl7-cda+xml"])
def test_marked_up_text_keeps_its_tags(kind):
    assert attached.rewrite(b64("<p>Anna</p>"), kind, SHOWING) == b64("<p>&lt;Anna&gt;</p>")


def test_where_nothing_was_found_the_very_data_stay():
    data = b64("Anna is well")
    wrapped = f"{data[:4]}\n{data[4:]}"
    assert attached.rewrite(wrapped, "text/plain", SEEING) == wrapped


def test_a_document_within_is_read_as_one():
    data = attached.rewrite(b64('{"mrn": "77310"}'), "application/json", masker(same, hide))
    assert base64.b64decode(data or "") == b'{"mrn":"[MRN]"}'

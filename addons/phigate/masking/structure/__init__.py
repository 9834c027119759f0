"""Texts that are more than prose: FHIR, HL7 v2, DICOM JSON, CSV, Markdown tables, any JSON.

>>> from phigate.masking.structure import structured
>>> found = structured('{"resourceType": "Patient", "name": [{"family": "Stone"}]}')
>>> found.kind, found.rewrite(str, lambda entity, text: f"[{entity}]")
('fhir', '{"resourceType":"Patient","name":[{"family":"[PERSON]"}]}')
"""

from __future__ import annotations

from phigate.masking.structure.growing import Growing, pieces
from phigate.masking.structure.recognise import Part, Structure, parts, rewrite, structured

__all__ = ["Growing", "Part", "Structure", "parts", "pieces", "rewrite", "structured"]

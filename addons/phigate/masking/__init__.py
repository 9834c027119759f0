"""What may they see? Identifiers found in text, whole or growing, and hidden the way a mask says.

>>> from phigate.masking import Detectors
>>> [finding.entity for finding in Detectors().find("MRN: 61-83-49, seen 2024-03-05")]
['MRN', 'DATE_TIME']
"""

from __future__ import annotations

from phigate.masking.detect import Detectors, Evidence, Piece, Scanner
from phigate.masking.detector import Detector
from phigate.masking.detectors import DETECTORS
from phigate.masking.encoded import Encoded
from phigate.masking.identifiers import identifier
from phigate.masking.memory import Memory
from phigate.masking.operators import NOTHING, Extension, load_detectors
from phigate.masking.roster import Roster, RosterFault, load_roster, parse_roster
from phigate.masking.search import compiled
from phigate.masking.secrets import Secrets
from phigate.masking.sight import Sight
from phigate.masking.tagger import tagger
from phigate.masking.transforms import Transformer

__all__ = [
    "DETECTORS",
    "NOTHING",
    "Detector",
    "Detectors",
    "Evidence",
    "Extension",
    "Memory",
    "Piece",
    "Roster",
    "RosterFault",
    "Scanner",
    "Secrets",
    "Sight",
    "Transformer",
    "default_detectors",
    "identifier",
    "load_detectors",
    "load_roster",
    "parse_roster",
]


def default_detectors(roster: Roster | None = None, extension: Extension = NOTHING) -> Detectors:
    """Every built-in source of evidence, with a roster and an operator's own if there are any."""
    plain = (compiled((*DETECTORS, *extension.rows)), tagger(), *((roster,) if roster else ()))
    sources = extension.sources(plain)
    return Detectors((), (*sources, Encoded(Detectors((), sources).find)))

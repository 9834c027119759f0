"""The detectors as tables, one file a kind, in the order in which they are tried at one place."""

from __future__ import annotations

from phigate.masking.detectors.contact import CONTACT
from phigate.masking.detectors.dates import DATES
from phigate.masking.detectors.devices import DEVICES
from phigate.masking.detectors.names import NAMES
from phigate.masking.detectors.national import NATIONAL
from phigate.masking.detectors.numbers import NUMBERS
from phigate.masking.detectors.places import PLACES

DETECTORS = (*NUMBERS, *DEVICES, *NATIONAL, *CONTACT, *PLACES, *DATES, *NAMES)

__all__ = ["CONTACT", "DATES", "DETECTORS", "DEVICES", "NAMES", "NATIONAL", "NUMBERS", "PLACES"]

"""Four people of the sample issuer, and what each of them gets from the default policy."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import patients
from processes import ROOT

if TYPE_CHECKING:
    from pathlib import Path

DEFAULT_ISSUER: Final = "http://127.0.0.1:8091"
"""What rules/policy.yaml names."""

APPROVER: Final = "kai.holm"
"""Who says yes to what others ask."""

OPERATORS: Final = ("mara.voss", "ines.duarte")
"""Who says yes to what another operator of models asks."""

QUESTION: Final = f"Patient: {patients.ASHDOWN.name}, MRN {patients.ASHDOWN.mrn}. How is she today?"


@dataclass(frozen=True, slots=True)
class Person:
    """`sees` are sentences about the answer, each with a pattern that must be found in it."""

    login: str
    role: str
    status: int
    summary: str
    sees: tuple[tuple[str, re.Pattern[str]], ...] = ()
    prompt_masked: bool = False


PEOPLE: Final = (
    Person(
        "dr.okafor",
        "clinician",
        200,
        "a stand-in for the name, a code for the MRN, shifted dates, everything else hidden",
        (
            ("a stand-in for the name", re.compile(r"Patient: [A-Z][\w'-]+ [A-Z][\w'-]+")),
            ("shifted dates", re.compile(r"Admitted \d\d/\d\d/\d{4}")),
            ("what the answer is about", re.compile(r"furosemide 40 mg")),
        ),
    ),
    Person(
        "sam.lindqvist",
        "researcher",
        200,
        "years, and nothing else that tells who; the model is not told either",
        (
            ("the year of admission", re.compile(r"Admitted (in )?2026\b")),
            ("what the answer is about", re.compile(r"furosemide 40 mg")),
        ),
        prompt_masked=True,
    ),
    Person("priya.raman", "ml-operator", 403, "no: operators run models, they do not read charts"),
    Person("lee.castellano", "visitor", 403, "no: nothing is permitted that no rule permits"),
)


def policy_for(issuer_url: str, folder: Path) -> Path:
    """Return a copy of the default policy, with all that stands beside it, that believes this issuer instead."""
    shutil.copytree(ROOT / "rules", folder / "rules")
    policy = folder / "rules" / "policy.yaml"
    text = policy.read_text(encoding="utf-8")
    if DEFAULT_ISSUER not in text:
        raise SystemExit(f"phigate: rules/policy.yaml no longer names the sample issuer, {DEFAULT_ISSUER}")
    policy.write_text(text.replace(DEFAULT_ISSUER, issuer_url), encoding="utf-8")
    return policy

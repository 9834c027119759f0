"""The DICOM JSON model (PS3.18 F.2): each attribute by its tag, else by its VR, free text by what is found in it.

Rules of this file:
- What is hidden stays valid for its VR where it can; where it cannot, the attribute stays without a value, as PS3.15
  action Z has it.
- Pixels, waveforms, embedded documents and private attributes cannot be read: left out, unless these eyes may see all.
- A UID names an instance, a study, a patient's series: hidden, unless DICOM itself registered it. Where the mask gives
  each value a stand-in of its own (a hash), UIDs become UIDs again and still link.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from phigate.dialect import tree
from phigate.masking.structure.codes import is_code
from phigate.masking.structure.dicom_tags import BY_VR, TAGS
from phigate.masking.structure.treatment import AGE, KEEP, OLDEST, PROSE, SCAN

if TYPE_CHECKING:
    from phigate.masking.structure.treatment import Masker

TAG = re.compile(r"[0-9A-Fa-f]{8}", re.ASCII)
_VR = re.compile(r"[A-Z]{2}", re.ASCII)
_REGISTERED = re.compile(r"1\.2\.840\.10008\.[0-9.]{1,50}", re.ASCII)
_AGE = re.compile(r"(\d{3})([DWMY])", re.ASCII)
_OWN = re.compile(r"[0-9a-f]{12}\Z", re.ASCII)
FORMS = {
    name: re.compile(form, re.ASCII)
    for name, form in {
        "DA": r"\d{8}(?:-\d{8})?",
        "DT": r"\d{4,14}(?:\.\d{1,6})?(?:[+-]\d{4})?",
        "TM": r"\d{2,6}(?:\.\d{1,6})?",
        "AS": r"\d{3}[DWMY]",
        "IS": r" *[+-]?\d{1,12} *",
        "DS": r" *[-+0-9.eE]{1,16} *",
        "UI": r"[0-9.]{1,64}",
        "UR": r"[!-~]+",
    }.items()
}
"""VR -> what its values look like; other VRs take any text."""
_NUMBERS = frozenset(("TM", "DS"))
"""VRs whose values are never looked into: a time of day, a measure."""

UNREADABLE = "PHOTO"
_NOTHING = object()
"""In place of a value that is left out."""
CONCEPT, MEANING = "0040A043", "00080104"
CODE, SCHEME = "00080100", "00080102"
SCHEMES = {
    "SCT": "http://snomed.info/sct",
    "LN": "http://loinc.org",
    "DCM": "http://dicom.nema.org/resources/ontology/dcm",
}


def is_dataset(node: Any) -> bool:
    """Whether an object is a data set: its members are tags, each with a VR."""
    if not isinstance(node, dict) or not node:
        return False
    fit = sum(bool(TAG.fullmatch(key)) and isinstance(item, dict) and "vr" in item for key, item in node.items())
    return fit * 2 > len(node)


class Place(NamedTuple):
    """Where a value stands: its attribute, what that is, the data set around it and what that calls itself."""

    tag: str
    vr: str
    treatment: str
    dataset: dict[str, Any]
    label: str
    depth: int


def rewrite(dataset: dict[str, Any], masker: Masker, depth: int = 0) -> dict[str, Any]:
    """A data set with all that identifies hidden; raises TreeError when it is nested too deep."""
    if depth > tree.MAX_DEPTH:
        raise tree.TreeError("nested too deep")
    label = _concept(dataset)
    out: dict[str, Any] = {}
    for key, item in dataset.items():
        if not TAG.fullmatch(key) or not isinstance(item, dict):
            name = key if TAG.fullmatch(key) else masker.render(key)
            out[name] = tree.values(item, masker.render, "", depth + 1)
            continue
        said, tag = item.get("vr"), key.upper()
        vr = said if isinstance(said, str) and _VR.fullmatch(said) else "UN"
        made = _attribute(item, Place(tag, vr, _treatment(tag, vr), dataset, label, depth), masker)
        if made is not None:
            out[key] = made
    return out


def _treatment(tag: str, vr: str) -> str:
    private = int(tag[3], 16) % 2
    overlay = tag[:2] in ("50", "60") and tag[4:] in ("3000", "200C")
    return UNREADABLE if private or overlay else TAGS.get(tag) or BY_VR.get(vr, SCAN if vr == "SQ" else UNREADABLE)


def _attribute(item: dict[str, Any], place: Place, masker: Masker) -> dict[str, Any] | None:
    """An attribute as it is shown; None where it is left out."""
    if place.treatment == UNREADABLE:
        return item if _sees(masker, item) else None
    made: dict[str, Any] = {}
    for key, value in item.items():
        if key == "vr":
            made[key] = place.vr
        elif key == "Value" and isinstance(value, list):
            if shown := [each for each in (_value(each, place, masker) for each in value) if each is not _NOTHING]:
                made[key] = shown
        elif key in ("BulkDataURI", "InlineBinary"):
            if _sees(masker, item):
                made[key] = value
        else:
            made[masker.keep(key)] = tree.values(value, masker.render, "", place.depth + 1)
    return made


def _sees(masker: Masker, item: dict[str, Any]) -> bool:
    """Whether these eyes may see what cannot be read."""
    probe = str(item.get("InlineBinary") or item.get("BulkDataURI") or "binary")[:200]
    return masker.hidden(UNREADABLE, probe) == probe


def _value(value: Any, place: Place, masker: Masker) -> Any:
    if isinstance(value, dict):
        if place.vr == "PN":
            return {masker.keep(key): _name(item, place.treatment, masker) for key, item in value.items()}
        return rewrite(value, masker, place.depth + 1)
    if isinstance(value, str):
        shown = _text(value, place, masker)
        return _NOTHING if shown is None else shown
    if isinstance(value, int | float) and not isinstance(value, bool):
        number = masker.number(place.treatment, value)
        return _NOTHING if isinstance(number, str) and place.vr in FORMS else number
    return None if value is None else tree.values(value, masker.render, "", place.depth + 1)


def _name(value: Any, treatment: str, masker: Masker) -> Any:
    """Family^Given^Middle^Prefix^Suffix (PS3.5, 6.2.1): each by itself; what goes before and after is text."""
    if not isinstance(value, str):
        return tree.values(value, masker.render)
    shown = []
    for group in value.split("="):
        parts = enumerate(group.split("^"))
        shown.append(
            "^".join(masker.treat(treatment if at < 3 else PROSE, part) if part else part for at, part in parts)
        )
    return "=".join(shown)


def _text(text: str, place: Place, masker: Masker) -> str | None:
    """A value as it is shown; None where what stands for it is no value of this VR."""
    tag, vr, treatment = place.tag, place.vr, place.treatment
    if vr == "UI":
        if _REGISTERED.fullmatch(text):
            return text
        return _fitting(vr, text, masker.hidden("UNIQUE_ID", text))
    if tag == CODE and _coded(place.dataset):
        return text
    if tag == MEANING and _coded(place.dataset) and not tree.TELLING.search(text):
        return text
    if treatment == KEEP and vr in _NUMBERS and FORMS[vr].fullmatch(text):
        return text
    if treatment == AGE:
        return _age(text, masker)
    if vr == "PN":
        return str(_name(text, treatment, masker))
    shown = masker.scan(text, place.label) if treatment in (SCAN, PROSE) else masker.treat(treatment, text)
    return _fitting(vr, text, shown)


def _fitting(vr: str, text: str, shown: str) -> str | None:
    form = FORMS.get(vr)
    if shown == text or form is None or form.fullmatch(shown):
        return shown
    own = _OWN.search(shown)
    return f"2.25.{int(own[0], 16)}" if vr == "UI" and own else None


def _age(text: str, masker: Masker) -> str | None:
    found = _AGE.fullmatch(text)
    if not found:
        return _fitting("AS", text, masker.hide(AGE, text) if text.strip() else text)
    if found[2] != "Y" or int(found[1]) <= OLDEST:
        return text
    shown = masker.hide(AGE, text)
    return "090Y" if shown == "90+" else _fitting("AS", text, shown)


def _coded(dataset: dict[str, Any]) -> bool:
    return is_code(SCHEMES.get(_first(dataset, SCHEME)), _first(dataset, CODE))


def _first(dataset: dict[str, Any], tag: str) -> str:
    item = dataset.get(tag)
    values = item.get("Value") if isinstance(item, dict) else None
    first = values[0] if isinstance(values, list) and values else None
    return first if isinstance(first, str) else ""


def _concept(dataset: dict[str, Any]) -> str:
    """What a content item of a structured report is called."""
    item = dataset.get(CONCEPT)
    values = item.get("Value") if isinstance(item, dict) else None
    inner = values[0] if isinstance(values, list) and values and isinstance(values[0], dict) else {}
    said = _first(inner, MEANING)
    return said if len(said) <= 80 else ""

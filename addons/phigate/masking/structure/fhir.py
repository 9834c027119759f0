"""FHIR R4 resources and bundles as JSON: each element by what it is, text inside by what is found in it.

Rules of this file:
- What an element is, its name says (OF_RESOURCE, ELEMENTS, the suffix of a choice), then its shape; a shape that does
  not fit its name is read by its shape.
- An element that nobody knows is text, read with its name as label. Nothing is passed because it is unknown.
- Links stay links as far as the mask gives one value one stand-in: a reference is hidden as the id it points to.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from phigate.dialect import tree
from phigate.masking.structure import attached, markup
from phigate.masking.structure.codes import IDENTIFIER_TYPES, is_code, of_system
from phigate.masking.structure.fhir_types import (
    CONTACTS,
    ELEMENTS,
    EXTENSIONS,
    ID_OF,
    IDENTIFIER_OF,
    NAMED_AS,
    NAMED_BY,
    OF_RESOURCE,
    OF_SUFFIX,
    SUFFIXES,
    TEXT_OF,
    TYPES,
)
from phigate.masking.structure.treatment import AGE, KEEP, OLDEST, PROSE, SCAN

if TYPE_CHECKING:
    from collections.abc import Callable

    from phigate.masking.structure.treatment import Masker

_KEY = re.compile(r"_?[A-Za-z][A-Za-z0-9]{0,63}", re.ASCII)
_KIND = re.compile(r"[A-Z][A-Za-z]{1,63}", re.ASCII)
_LOCAL = re.compile(
    r"(?P<base>(?:https?://[^?#\s]*/)?)(?P<kind>[A-Z][A-Za-z]{2,40})/(?P<id>[^/?#]+)(?P<rest>(?:/_history/[^/?#]+)?)"
)
_URN = re.compile(r"(urn:(?:uuid|oid):)(.+)", re.DOTALL)
_SYSTEM = re.compile(
    r"urn:[A-Za-z0-9:._-]{1,200}|https?://[A-Za-z0-9._:-]{1,200}(?:/[A-Za-z0-9._|/-]{0,300})?", re.ASCII
)
_WORD = re.compile(r"[^\W\d][\w.,'%/()\[\]{}*^-]{0,40}")
_LONG = re.compile(r"\d{7}", re.ASCII)
_SAMPLES = re.compile(r"[-+0-9.EULeul ]+", re.ASCII)
_YEARS = frozenset(("a", "y", "yr", "yrs", "year", "years", "year old", "years old", "y/o"))
_LAB_AGE = frozenset(("30525-0", "21612-7", "29553-5", "30972-4"))
"""LOINC: age, reported, calculated, at onset."""


class Place(NamedTuple):
    """Where a text stands: its resource's kind, its element, the object around it, and what holds that object."""

    kind: str
    key: str
    node: dict[str, Any]
    holder: str = ""


class _Removed:
    """In place of a value that is left out."""


_REMOVED = _Removed()


def is_resource(node: Any) -> bool:
    kind = node.get("resourceType") if isinstance(node, dict) else None
    return isinstance(kind, str) and bool(_KIND.fullmatch(kind))


def rewrite(node: dict[str, Any], masker: Masker) -> dict[str, Any]:
    """A resource with all that identifies hidden; raises TreeError when it is nested too deep."""
    return _Walk(masker).resource(node, 0, contained=False)


class _Walk:
    def __init__(self, masker: Masker) -> None:
        self._masker = masker

    def resource(self, node: dict[str, Any], depth: int, *, contained: bool) -> dict[str, Any]:
        said = node.get("resourceType")
        kind = said if isinstance(said, str) and _KIND.fullmatch(said) else ""
        out = {}
        for key, value in node.items():
            if key == "resourceType" and kind:
                out[key] = value
            elif key == "id" and isinstance(value, str):
                entity = KEEP if contained else ID_OF.get(kind, KEEP)
                out[key] = self._masker.treat(entity, value)
            else:
                self._put(out, kind, key, value, node, "", depth)
        return out

    def _put(  # noqa: PLR0917 -- where a member goes, what it is, and where it stands
        self, out: dict[str, Any], kind: str, key: str, value: Any, node: dict[str, Any], holder: str, depth: int
    ) -> None:
        made = self._element(Place(kind, key, node, holder), value, depth)
        if not isinstance(made, _Removed):
            out[key if _KEY.fullmatch(key) and not tree.TELLING.search(key) else self._masker.render(key)] = made

    def _element(self, place: Place, value: Any, depth: int) -> Any:
        return self._by(_rule(place), place, value, depth)

    def _by(self, rule: str | None, place: Place, value: Any, depth: int) -> Any:
        """A value by its rule: a list by its items, an object by its members, a text by its treatment."""
        if value is None or isinstance(value, bool):
            return value
        if depth > tree.MAX_DEPTH:
            raise tree.TreeError("nested too deep")
        if isinstance(value, list):
            made = [self._by(rule, place, item, depth + 1) for item in value]
            return [item for item in made if not isinstance(item, _Removed)]
        if isinstance(value, dict):
            return self._object(rule, place, value, depth + 1)
        if isinstance(value, str):
            return self._text(rule, place, value)
        return self._number(rule, place, value)

    def _object(self, rule: str | None, place: Place, value: dict[str, Any], depth: int) -> dict[str, Any]:
        if "resourceType" in value or rule == "resource":
            return self.resource(value, depth, contained=place.key == "contained")
        named = rule if rule in TYPES and _fits(value, rule) else _shape(value)
        guessed = named != rule
        members = TYPES.get(named or "", {})
        if named in (None, "Backbone") and rule in _WHOLE:
            members = _Everything(rule)
        holder = place.key if place.key not in ("extension", "coding", "identifier") else place.holder
        out: dict[str, Any] = {}
        for key, item in value.items():
            inner = Place(place.kind, key, value, holder)
            if key == "id" and isinstance(item, str):
                out[key] = self._masker.keep(item)
            elif (own := (guessed and OF_RESOURCE.get(f"{place.kind}.{key}")) or members.get(key)) is not None:
                made = self._by(own, inner, item, depth)
                if not isinstance(made, _Removed):
                    out[key] = made
            elif named == "Extension" and key.startswith("value"):
                out[key] = self._by(_extension_rule(value, inner), inner, item, depth)
            else:
                self._put(out, place.kind, key, item, value, holder, depth)
        return out

    def _text(self, rule: str | None, place: Place, text: str) -> Any:
        rule = TEXT_OF.get(rule, rule) if rule else None
        if rule in _WAYS:
            return _WAYS[rule](text, place, self._masker)
        if rule is None or rule == SCAN or rule in TYPES or rule in ("resource", "Backbone"):
            return self._masker.scan(text, _label(place))
        return self._masker.treat(rule, text, place.key)

    def _number(self, rule: str | None, place: Place, value: float) -> Any:
        if rule == "amount":
            rule = AGE if _is_age(place, value) else KEEP
        if rule is None or rule in TYPES or rule in _WAYS or rule in ("resource", "Backbone"):
            return tree.number(value, self._masker.render, place.key)
        return self._masker.number(rule, value, place.key)


class _Everything(dict[str, str]):
    """The members of an object that is hidden as a whole."""

    def __init__(self, rule: str) -> None:
        super().__init__()
        self._rule = rule

    def get(self, _key: str, _default: Any = None) -> Any:
        return self._rule


_WHOLE = frozenset(("PERSON", "LOCATION", "ORGANIZATION", "DEVICE_ID", "HEALTH_PLAN_ID", "UNIQUE_ID"))


def _rule(place: Place) -> str | None:
    key = place.key
    if key.startswith("_"):
        return "Backbone"
    found = OF_RESOURCE.get(f"{place.kind}.{key}") or ELEMENTS.get(key)
    if found is None and (suffix := OF_SUFFIX.fullmatch(key)):
        found = SUFFIXES.get(suffix[1])
    return found


def _extension_rule(node: dict[str, Any], place: Place) -> str | None:
    url = node.get("url")
    own = EXTENSIONS.get(url.rpartition("/")[2]) if isinstance(url, str) else None
    return own or _rule(place)


_SHAPES: tuple[tuple[str, frozenset[str]], ...] = (
    ("Reference", frozenset(("reference",))),
    ("CodeableConcept", frozenset(("coding",))),
    ("Narrative", frozenset(("div",))),
    ("HumanName", frozenset(("family",))),
    ("HumanName", frozenset(("given",))),
    ("Address", frozenset(("line",))),
    ("Address", frozenset(("city",))),
    ("Address", frozenset(("postalCode",))),
    ("Attachment", frozenset(("contentType",))),
    ("Coding", frozenset(("system", "code"))),
    ("Timing", frozenset(("repeat",))),
    ("Udi", frozenset(("carrierHRF",))),
    ("Position", frozenset(("latitude", "longitude"))),
)
"""What an object is by the members it has: the first that fits."""


def _fits(value: dict[str, Any], named: str) -> bool:
    """Whether an object may be of a data type: it shares a member with it, or looks like nothing else."""
    return not TYPES[named].keys().isdisjoint(value) or _shape(value) is None


def _shape(value: dict[str, Any]) -> str | None:
    if isinstance(value.get("value"), int | float):
        return "Quantity" if not value.keys().isdisjoint(("unit", "code", "system", "comparator")) else None
    if "value" in value and "system" in value:
        return "ContactPoint" if value["system"] in list(CONTACTS) else "Identifier"
    if isinstance(value.get("value"), str) and value.keys() <= TYPES["Identifier"].keys() | {"id", "extension"}:
        return "Identifier"
    if "url" in value and any(key.startswith("value") or key == "extension" for key in value):
        return "Extension"
    for named, keys in _SHAPES:
        if keys <= value.keys():
            return named
    if value.keys() <= {"start", "end", "id", "extension"} and value.keys() & {"start", "end"}:
        return "Period"
    return (
        "Reference"
        if value.keys() <= {"display", "type", "identifier", "id", "extension"} and "display" in value
        else None
    )


def _label(place: Place) -> str:
    """What is said of a value beside it: an observation's code, a question, a parameter's name; else its own name."""
    if place.key.startswith(("value", "answer")):
        for key in ("code", "text", "name", "url"):
            said = place.node.get(key)
            if isinstance(said, dict):
                codings = said.get("coding")
                first = codings[0] if isinstance(codings, list) and codings else None
                said = said.get("text") or (first.get("display") if isinstance(first, dict) else None)
            if isinstance(said, str) and 0 < len(said) <= 80:
                return said.rpartition("/")[2].rstrip("?: ")
    return place.key


def _is_age(place: Place, value: float) -> bool:
    unit = place.node.get("unit") or place.node.get("code")
    return value > OLDEST and (str(unit).lower() in _YEARS)


# -- texts that are read in a way of their own ------------------------------------------------------------------------


def _system(text: str, _place: Place, masker: Masker) -> str:
    """A name space's URI is a protocol's own, if it looks like one."""
    return (
        text
        if _SYSTEM.fullmatch(text) and (text.startswith("urn:oid:") or not _LONG.search(text))
        else masker.scan(text)
    )


def _identifier(text: str, place: Place, masker: Masker) -> str:
    return masker.hidden(_identifier_entity(place), text)


def _identifier_entity(place: Place) -> str:
    node = place.node
    kind = node.get("type")
    codings = kind.get("coding") if isinstance(kind, dict) else None
    for coding in codings if isinstance(codings, list) else ():
        code = coding.get("code") if isinstance(coding, dict) else None
        if isinstance(code, str) and code in IDENTIFIER_TYPES:
            return IDENTIFIER_TYPES[code]
    system = node.get("system")
    said = of_system(system) if isinstance(system, str) else None
    return said or IDENTIFIER_OF.get(place.kind if not _of_another(place) else "", "UNIQUE_ID")


def _of_another(place: Place) -> bool:
    """Whether the identifier is that of something referred to, not of the resource itself."""
    return bool(place.holder) and place.holder != "identifier"


def _contact(text: str, place: Place, masker: Masker) -> str:
    system = place.node.get("system")
    entity = CONTACTS.get(system) if isinstance(system, str) else None
    return masker.hidden(entity or ("EMAIL_ADDRESS" if "@" in text else "PHONE_NUMBER"), text)


def _code(text: str, place: Place, masker: Masker) -> str:
    return text if is_code(place.node.get("system"), text) else masker.keep(text)


def _display(text: str, place: Place, masker: Masker) -> str:
    """A public terminology's own words for its code; other words are text."""
    node = place.node
    if is_code(node.get("system"), node.get("code")) and not tree.TELLING.search(text):
        return text
    return masker.render(text)


def _word(text: str, place: Place, masker: Masker) -> str:
    return text if _WORD.fullmatch(text) and not tree.TELLING.search(text) else masker.keep(text, place.key)


def _whose(text: str, place: Place, masker: Masker) -> str:
    """The name a reference shows: of a person, a house, or of anything else (then it is text)."""
    said = place.node.get("reference")
    found = _LOCAL.match(said) if isinstance(said, str) else None
    kind = place.node.get("type") if found is None else found["kind"]
    entity = NAMED_AS.get(kind) if isinstance(kind, str) else None
    if entity is None and not (isinstance(kind, str) and _KIND.fullmatch(kind)):
        key = place.holder if place.key == "display" else place.key
        entity = NAMED_BY.get(key)
    return masker.treat(entity or PROSE, text)


def _reference(text: str, place: Place, masker: Masker) -> str:
    """`Patient/77`, an absolute address, `urn:uuid:...`, `#contained`, or a search."""
    if text.startswith("#"):
        return "#" + masker.keep(text[1:])
    if "?" in text:
        return _query(text, place, masker)
    if found := _LOCAL.fullmatch(text):
        entity = ID_OF.get(found["kind"], KEEP)
        return f"{_base(found['base'], masker)}{found['kind']}/{masker.treat(entity, found['id'])}{found['rest']}"
    if found := _URN.fullmatch(text):
        return found[1] + masker.hidden("UNIQUE_ID", found[2])
    return masker.keep(text)


def _base(base: str, masker: Masker) -> str:
    return base if not base or _SYSTEM.fullmatch(base) else masker.render(base)


def _query(text: str, place: Place, masker: Masker) -> str:
    """A search: what is searched for is somebody; how many and in which order is not."""
    path, _, query = text.partition("?")
    if not query:
        return masker.render(text)
    parts = []
    for part in query.split("&"):
        name, equals, value = part.partition("=")
        plain = name.startswith("_") and name not in ("_id", "_content", "_text", "_filter", "_query")
        shown = masker.keep(value) if plain else masker.hidden("UNIQUE_ID", value)
        parts.append(f"{masker.keep(name)}{equals}{shown}")
    return f"{_reference(path, place, masker) if path else ''}?{'&'.join(parts)}"


def _link(text: str, place: Place, masker: Masker) -> str:
    return _query(text, place, masker) if "?" in text else masker.scan(text, "link")


def _data(text: str, place: Place, masker: Masker) -> Any:
    """An attachment's content: text is masked inside, what cannot be read is left out."""
    kind = place.node.get("contentType")
    if place.key == "content" and kind is None:
        return masker.render(text)
    shown = attached.rewrite(text, kind if isinstance(kind, str) else "", masker)
    return (
        shown if shown is not None else _out(text, masker, "PHOTO" if str(kind).startswith("image/") else "UNIQUE_ID")
    )


def _photo(text: str, place: Place, masker: Masker) -> Any:
    return _out(text, masker, "PHOTO" if place.holder != "signature" else "BIOMETRIC_ID")


def _out(text: str, masker: Masker, entity: str) -> Any:
    """Left out, unless these eyes may see it."""
    return text if masker.hidden(entity, text) == text else _REMOVED


def _digest(text: str, place: Place, masker: Masker) -> Any:
    """The hash of a content that is shown as it is stays; of any other it would be a way to find the content."""
    data = place.node.get("data")
    way = _photo if place.holder == "photo" else _data
    inner = Place(place.kind, "data", place.node, place.holder)
    kept = isinstance(data, str) and way(data, inner, masker) == data
    return text if kept or _out(text, masker, "UNIQUE_ID") == text else _REMOVED


def _xhtml(text: str, _place: Place, masker: Masker) -> str:
    return markup.rewrite(text, masker)


def _samples(text: str, place: Place, masker: Masker) -> str:
    return text if _SAMPLES.fullmatch(text) else masker.scan(text, place.key)


def _amount(text: str, place: Place, masker: Masker) -> str:
    return masker.keep(text, place.key)


_WAYS: dict[str | None, Callable[[str, Place, Any], Any]] = {
    "system": _system,
    "identifier": _identifier,
    "contact": _contact,
    "code": _code,
    "display": _display,
    "word": _word,
    "whose": _whose,
    "reference": _reference,
    "query": _query,
    "link": _link,
    "data": _data,
    "photo": _photo,
    "digest": _digest,
    "xhtml": _xhtml,
    "samples": _samples,
    "amount": _amount,
}

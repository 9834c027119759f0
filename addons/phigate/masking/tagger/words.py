"""A token seen as a word: how it is written, what the lexicon knows of it, whether it can be part of a name.

A `Word` depends on nothing but the token, so one is made per distinct token and shared by all texts.
"""

from __future__ import annotations

from phigate.masking.tagger import lexicon as known

BARRIER, LINK, JOIN, CORE = range(4)
"""What a token does to a run of tokens that may be a name: ends it; stands only inside; may begin it; makes it one."""

LOWER, TITLE, UPPER, STOP, NEUTRAL = range(5)
"""What a token tells about how the text is written (`STEP`)."""

PROSE, SMALL, CAPITALS = range(3)
"""The ways of writing: as usual; without capitals, where small letters tell nothing; in capitals only."""

_NAME = known.FIRST | known.FIRST_COMMON | known.LAST | known.LAST_COMMON
_COMMON = known.FIRST_COMMON | known.LAST_COMMON | known.PLACE_COMMON | known.FACILITY_NAME
_PLACE = known.PLACE | known.PLACE_COMMON
_PART = known.FACILITY | known.STREET | known.PLACE_PART | known.PARTICLE
_HINT = known.TITLE | known.CREDENTIAL | known.RELATION | known.LABEL | known.MONTH
_PLAIN = known.PLAIN | known.FUNCTION | known.MEDICAL | known.DRUG | known.EPONYM | _HINT
_LINKS = frozenset(
    {
        *(
            "of",
            "for",
            "the",
            "and",
            "in",
            "at",
            "de",
            "la",
            "las",
            "los",
            "del",
            "le",
            "da",
            "das",
            "do",
            "dos",
            "di",
            "du",
        ),
        *("van", "von", "der", "den", "bin", "al", "el", "y", "e"),
    }
)
_STATES_IN_ADDRESSES = known.STATE | known.COUNTRY
_SIGNS = ("\n", ",", ".", ":", ";", "-", "(", ")", "/", "'", '"', "&", "#", "@", "*", "?", "!", "|", "=", "[", "]")

_CASES = ("lower", "title", "upper", "mixed", "letter", "initial")
_GROUPS = (
    *("unknown", "plain", "function", "title", "credential", "relation", "label", "month", "state", "country"),
    *("facility", "facility-name", "street", "medical", "drug", "eponym"),
    *("first", "last", "first-last", "place", "name-place", "name-plain", "place-plain", "name-medical"),
    *("place-part", "particle", "rare"),
)
_CLASSES = {
    name: index
    for index, name in enumerate(
        ["begin", "end", "sign", *_SIGNS, *(f"number-{n}" for n in range(1, 7))]
        + [f"{group} {case}" for group in _GROUPS for case in _CASES]
    )
}
"""Small classes of tokens; what is learned of neighbours is learned of pairs of these."""
CLASSES = len(_CLASSES)


class Word:
    """One token: `lead` blanks, then the word, whose last `tail` characters are a possessive ending."""

    __slots__ = ("base", "bits", "case", "cid", "cls", "event", "kinds", "lead", "local", "near", "raw", "size", "tail")

    def __init__(self, raw: str, *, blind: bool = False, joins: frozenset[str] = frozenset()) -> None:
        """`blind` withholds what the lexicon knows; `joins` are plain words that names of facilities are made of."""
        body = raw.lstrip(" \t\u00a0")
        self.raw, self.size, self.lead, self.tail = raw, len(raw), len(raw) - len(body), 0
        self.base, self.bits, self.cid = body.casefold() if body != "\n" else "newline", 0, 0
        self.near: list[int | None] = [None] * 5
        self.local: list[int | None] = [None, None, None]
        if body[:1].isalpha():
            self._word(body, blind=blind, joins=joins)
        elif body[:1].isdigit():
            self.case, self.event, self.kinds = f"n{min(len(body), 6)}", NEUTRAL, (JOIN,) * 3
            self.cls = _CLASSES[f"number-{min(len(body), 6)}"]
        else:
            self.case, self.event = "sign", STOP if body in {".", "!", "?"} else NEUTRAL
            link = body == "&" or (body in {",", "-", "'"} and not self.lead)
            self.kinds = ((LINK if link else JOIN if body == "#" else BARRIER),) * 3
            self.cls = _CLASSES.get(body, _CLASSES["sign"])

    def _word(self, body: str, *, blind: bool, joins: frozenset[str]) -> None:
        dot = body.endswith(".")
        word = body.rstrip(".")
        if len(word) > 2 and word[-2:] in {"'s", "\u2019s", "'S", "\u2019S"}:
            self.tail, word = 2, word[:-2]
        self.base = plain = word.casefold()
        self.case = case = _case(word, dot=dot)
        if not blind and case not in {"initial", "letter"}:
            self.bits = known.bits(plain)
        self.event = NEUTRAL if len(word) == 1 else _EVENTS[case]
        group = _group(self.bits)
        self.cls = _CLASSES[f"{group} {case}"]
        self.kinds = _kinds(word, self.bits, case, joins=plain in joins)

    def __repr__(self) -> str:
        return f"Word({len(self.raw)} characters, {self.cls})"


_EVENTS = {"lower": LOWER, "title": TITLE, "mixed": TITLE, "upper": UPPER, "letter": NEUTRAL, "initial": NEUTRAL}


def _case(word: str, *, dot: bool) -> str:
    if len(word) == 1 and word.isupper():
        return "initial" if dot else "letter"
    if word.islower():
        return "initial" if dot and len(word) == 1 else "lower"
    if word.isupper():
        return "upper"
    if word[0].isupper() and word[1:].islower():
        return "title"
    return "mixed"


def _group(bits: int) -> str:
    name, place = bits & _NAME, bits & _PLACE
    plain = bits & known.PLAIN
    for flag, group in _FIRST_GROUPS:
        if bits & flag:
            return group
    if name and bits & (known.MEDICAL | known.DRUG) and not bits & _COMMON:
        return "name-medical"
    if name and plain:
        return "name-plain"
    if name and place:
        return "name-place"
    if name:
        first, last = bits & (known.FIRST | known.FIRST_COMMON), bits & (known.LAST | known.LAST_COMMON)
        return "first-last" if first and last else "first" if first else "last"
    if place:
        return "place-plain" if plain else "place"
    for flag, group in _LAST_GROUPS:
        if bits & flag:
            return group
    return "unknown"


_FIRST_GROUPS = (
    *((known.TITLE, "title"), (known.CREDENTIAL, "credential"), (known.RELATION, "relation"), (known.LABEL, "label")),
    *((known.MONTH, "month"), (known.STATE, "state"), (known.COUNTRY, "country"), (known.FUNCTION, "function")),
    *((known.FACILITY, "facility"), (known.STREET, "street")),
)
_LAST_GROUPS = (
    *((known.FACILITY_NAME, "facility-name"), (known.PLACE_PART, "place-part"), (known.PARTICLE, "particle")),
    *((known.EPONYM, "eponym"), (known.DRUG, "drug"), (known.MEDICAL, "medical")),
    *((known.RARE, "rare"), (known.PLAIN, "plain")),
)


def _kinds(word: str, bits: int, case: str, *, joins: bool) -> tuple[int, int, int]:
    """In prose, in small letters, in capitals."""
    if case == "initial":
        return (BARRIER if word.islower() else CORE), CORE, CORE
    if word in {"I", "A"}:
        return BARRIER if word == "I" else CORE, BARRIER, BARRIER
    if case == "upper" and bits & known.STATE:
        return (JOIN,) * 3
    name = bits & (_NAME | _PLACE | known.FACILITY_NAME)
    if bits & known.FUNCTION and (case == "lower" or not bits & _NAME):
        return (LINK if word.casefold() in _LINKS else BARRIER,) * 3
    part = bits & (_PART | _STATES_IN_ADDRESSES)
    if bits & _HINT and not bits & (_PLACE | _PART | known.FACILITY_NAME) and not bits & _COMMON and not joins:
        return (BARRIER,) * 3
    if case in {"lower", "upper"} and bits & _PLAIN:
        bare = CORE if name or part else JOIN if joins or bits & known.RARE else BARRIER
        if case == "lower":
            return JOIN if part or joins else BARRIER, bare, bare
        return JOIN if bare == BARRIER and len(word) == 2 else bare, bare, bare  # the postcode OX3 7LU
    return (CORE,) * 3


def _step(state: tuple[int, int, int], event: int) -> tuple[int, int, int]:
    """(capitals in a row, a sentence began small and no capital came since, a sentence begins here)."""
    row, small, begins = state
    if event == LOWER:
        return 0, small or begins, 0
    if event == TITLE:
        return 0, 0, 0
    if event == UPPER:
        return min(row + 1, 3), small, 0
    return (row, small, 1) if event == STOP else state


_STATES = [(row, small, begins) for row in range(4) for small in range(2) for begins in range(2)]
STEP = tuple(tuple(_STATES.index(_step(state, event)) for event in range(5)) for state in _STATES)
"""How what is known of the way of writing changes with each token: state, event -> state."""
MODE = tuple(CAPITALS if row == 3 else SMALL if small else PROSE for row, small, _ in _STATES)
START = _STATES.index((0, 0, 1))

"""
People: first and last names of many cultures, and invented ones.

A share of the names is *novel*: composed from the beginning of one name and the end of another, or so rare in the
census that the lexicon leaves it out, so that a model learns from context and shape what no list holds.
"""

import re
from bisect import bisect
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from random import Random

from phigate.masking.tagger.lexicon import bits
from training.lists import census, cultures, sections

NOVEL = 0.35
WORDY = 0.07
"""Share of people one of whose names is an English word: April, Dawn Ball, Mr. Fox."""
WEIGHTS = {
    "census": 36, "anglo": 4, "modern": 3, "irish": 2, "hispanic": 12, "south_asian": 3, "indian": 5, "chinese": 5,
    "vietnamese": 3, "korean": 3, "japanese": 2.5, "filipino": 2, "thai": 1, "indonesian": 1, "arabic": 4,
    "maghreb": 1, "persian": 1.5, "turkish": 1.5, "jewish": 2, "west_african": 1, "east_african": 1,
    "central_african": 2, "ethiopian": 1,
    "slavic": 2.5, "russian": 2, "east_european": 1.5, "german": 2.5, "dutch": 1.5, "scandinavian": 2, "french": 2.5,
    "italian": 2, "portuguese": 2, "greek": 1.2, "armenian": 0.7, "hawaiian": 0.8, "native": 0.6,
}  # fmt: skip
DOE = 0.008
"""Share of people who are nobody: John Doe."""
ONE_NAME = {"indonesian": 0.25, "thai": 0.05, "ethiopian": 0.03, "hawaiian": 0.05, "south_asian": 0.05, "indian": 0.05}
FAMILY_FIRST = {"chinese": 0.3, "vietnamese": 0.4, "korean": 0.3, "japanese": 0.1}
VOWELS = frozenset("aeiouyáéíóúàèìòùäëïöüâêîôûãõåæøıąęěů")


@dataclass(frozen=True, slots=True)
class Stock:
    female: list[str]
    male: list[str]
    last: list[str]


@cache
def stock() -> dict[str, Stock]:
    own = sections("own/names.txt")
    found = {}
    for culture in WEIGHTS:
        if culture == "census":
            continue
        path = f"names/{culture}.txt"
        drawn = sections(path) if culture in cultures() else {}
        either = drawn.get("any", [])

        def of(kind: str, drawn: dict[str, list[str]] = drawn, culture: str = culture) -> list[str]:
            return [*own.get(f"{culture} {kind}", []), *drawn.get(kind, [])]

        female, male, last = of("female") + either, of("male") + either, of("last")
        anglo = culture in {"modern", "irish"}
        common_first, common_last = sections("names/anglo.txt"), [title(name) for name, _ in census("last")[0][:1000]]
        found[culture] = Stock(
            female or common_first["female"], male or common_first["male"], (last or common_last) if anglo else last
        )
    return found


@cache
def weighted(kind: str, power: float) -> tuple[list[str], list[float]]:
    rows, _ = census(kind)
    return [name for name, _ in rows], list(accumulate(count**power for _, count in rows))


def drawn(rng: Random, kind: str, power: float) -> str:
    """By how frequent it is; a power under 1 favours the rare."""
    names, sums = weighted(kind, power)
    return names[min(bisect(sums, rng.random() * sums[-1]), len(names) - 1)]


def title(name: str) -> str:
    """The census knows capitals only: mcdonald -> McDonald, obrien -> O'Brien."""
    if name.startswith("mc") and len(name) > 4:
        return "Mc" + name[2:].capitalize()
    if name in O_NAMES:
        return "O'" + name[1:].capitalize()
    return name.capitalize()


O_NAMES = frozenset(
    name.lower().replace("'", "") for name in sections("own/names.txt")["irish last"] if name.startswith("O'")
)


def spliced(rng: Random, names: list[str]) -> str:
    """The head of one name and the tail of another, cut where a vowel meets a consonant; a word no list knows."""
    for _ in range(20):
        head, tail = (rng.choice(names) for _ in range(2))
        if len(head) < 4 or len(tail) < 4 or not (head.isalpha() and tail.isalpha()):
            continue
        cuts = [at for at in range(2, len(head)) if head[at - 1].lower() in VOWELS]
        joins = [at for at in range(1, len(tail) - 1) if tail[at] not in VOWELS and tail[at - 1] in VOWELS]
        if cuts and joins:
            made = head[: rng.choice(cuts)] + tail[rng.choice(joins) :]
            if 4 <= len(made) <= 12 and not bits(made.casefold()):
                return made
    return rng.choice(names)


@cache
def wordy(kind: str) -> list[str]:
    """Names of the census that are common English words too."""
    common = {word for level in ("10", "20", "35") for line in sections("english.txt")[level] for word in line.split()}
    rows = census(kind)[0]
    return [name.capitalize() for name, count in rows if name in common and len(name) > 2 and count > 2]


PREFIXES = "Ash Brad Bram Cald Carl Chad Col Crad Dal Dun Ed Els Fair Far Gar Hal Har Hart Hath Hol Kel Kirk Lang Lock Mar Mel Mor Nor Oak Pem Pres Rad Ran Red Ros Shel Stan Ster Thorn Tren Wad Wal Whit Wil Win Wor Yar".split()  # noqa: E501
SUFFIXES = "bee bourne burn by combe cott croft dale den field ford gate grave ham hurst ington kin land ley low man more ney pole rick shaw son stead stock ston thorpe ton wick win wood worth".split()  # noqa: E501


def novel_last(rng: Random, last: list[str]) -> str:
    turn = rng.random()
    if turn < 0.45:
        return spliced(rng, last)
    if turn < 0.75:
        return title(rng.choice(census("last")[1]))
    made = rng.choice(PREFIXES) + rng.choice(SUFFIXES)
    return made if not bits(made.casefold()) else spliced(rng, last)


@dataclass(frozen=True, slots=True)
class Person:
    first: str
    last: str
    middle: str
    sex: str
    nick: str
    family_first: bool = False
    local: str = ""
    """As people of this culture write the whole name at home, where that is another way."""

    @property
    def full(self) -> str:
        if not self.last:
            return self.first
        return f"{self.last} {self.first}" if self.family_first else f"{self.first} {self.last}"

    @property
    def family(self) -> str:
        return self.last or self.first


@cache
def nicknames() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for pair in sections("own/names.txt")["nickname"]:
        name, _, nick = pair.partition("=")
        found.setdefault(name, []).append(nick)
    return found


def make_person(rng: Random, sex: str | None = None, culture: str | None = None) -> Person:
    sex = sex or rng.choice(("female", "male"))
    culture = culture or rng.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
    if culture == "census":
        power = rng.choice((0.6, 0.6, 1.2))
        first, last, middle = (title(drawn(rng, kind, power)) for kind in (sex, "last", sex))
        firsts = lasts = None
    else:
        found = stock()[culture]
        firsts, lasts = (found.female if sex == "female" else found.male), found.last
        first, last, middle = rng.choice(firsts), rng.choice(lasts), rng.choice(firsts)
        if rng.random() < 0.12 and culture not in {"hispanic", "filipino"}:
            first = title(drawn(rng, sex, 0.6))  # a family's name, a neighbour's first name
    if rng.random() < DOE:
        first, last = (
            "Jane" if sex == "female" else "John",
            rng.choice(("Doe", "Doe", "Roe", "Smith", "Public", "Q. Public")),
        )
    elif rng.random() < WORDY:
        first, last = rng.choice(((rng.choice(wordy(sex)), last), (first, rng.choice(wordy("last")))))
    elif rng.random() < NOVEL:
        last = novel_last(rng, lasts or stock()["anglo"].last)
    if rng.random() < NOVEL * 0.5:
        first = spliced(rng, firsts or [title(name) for name, _ in census(sex)[0]])
    if culture in {"hispanic", "portuguese"} and rng.random() < 0.35:
        last = f"{last} {rng.choice(lasts or [last])}"
    elif rng.random() < 0.045:
        other = rng.choice(lasts) if lasts else title(drawn(rng, "last", 0.6))
        last = f"{last}{rng.choice(('-', '-', ' '))}{other}"
    if rng.random() < 0.04:
        first = f"{first}{rng.choice((' ', '-'))}{middle}"
    if rng.random() < ONE_NAME.get(culture, 0.0):
        last = ""
    nick = rng.choice(nicknames().get(first, [first]))
    if rng.random() < 0.2:
        nick = rng.choice(sections("own/names.txt")["nickname free"])
    family_first = rng.random() < FAMILY_FIRST.get(culture, 0.0)
    return Person(first, last, middle, sex, nick, family_first, at_home(rng, culture, sex, (first, middle, last)))


def patronymic(father: str, *, female: bool) -> str:
    """`Ivan` -> `Ivanovich`, `Ivanovna`."""
    if father.endswith(("ei", "ey", "ai", "ay")):
        stem = father[:-1] + "ev"
    elif father.endswith(("iy", "y", "i")):
        stem = father.rstrip("iy") + "iev"
    else:
        stem = father + ("v" if father.endswith("o") else "ov")
    return f"{stem.removesuffix('av').rstrip('a')}{'na' if female else 'ich'}"


WAYS = {
    "russian": ("{last} {first} {fathers}", "{first} {fathers} {last}", "{first} {fathers}"),
    "arabic": (
        *("{first} {child} {father} {last}", "{first} {father} {last}", "{first} {child} {father}"),
        "{first} {last}",
    ),
    "ethiopian": ("{first} {father}",),
    "west_african": ("{last} {first} {middle}", "{first} {last}", "{last} {first}"),
    "east_african": ("{last} {first} {middle}", "{first} {middle} {last}", "{first} {last}"),
    "indian": (
        *("{l}. {first}", "{l}.{f}. {first}", "{first} {f}.", "{first} {father} {last}", "{first} {last}"),
        *("{first} Kumar", "{first} Lal", "Sh. {first} {last}"),
    ),
    "south_asian": ("{first} Khan", "{first} Ali", "{first} {last}", "Md. {first} {last}", "{first} Miah"),
    "chinese": ("{last} {first}",), "korean": ("{last} {first}",), "vietnamese": ("{last} {first}",),
    "japanese": ("{last} {first}",),
    "hispanic": (
        *("{first} {middle} {last} {other}", "{last} {other} {first}", "{first} {last} {other}"),
        *("{first} {last} y {other}", "{first} {last}"),
    ),
    "filipino": ("{first} {o}. {last}", "{last}, {first} {o}.", "{first} {other} {last}"),
    "portuguese": ("{first} {middle} {other} {last}", "{first} {other} da {last}", "{first} {last} Filho"),
    "indonesian": ("{first}", "{first} {middle}", "{first} {child} {father}"),
    "scandinavian": ("{first} {last}", "{first} {middle} {last}", "{first} {child}"),
    "german": ("{last} {first}", "{first} {last}", "{first} {last}"),
    "slavic": ("{last} {first}", "{first} {last}", "{first} {last}"),
    "turkish": ("{first} {last}", "{first} {middle} {last}", "{last} {first}"),
    "italian": ("{last} {first}", "{first} {last}", "{first} {last}"),
    "french": ("{last} {first}", "{first} {last}", "{first} {last}"),
}  # fmt: skip
"""How people of a culture write a whole name at home, where that is not first and last."""
WOMENS_WAYS = {
    "indian": ("{l}. {first}", "{first} {f}.", "{first} Devi", "{first} Bai", "{first} {last}", "Smt. {first} {last}"),
    "south_asian": ("{first} Begum", "{first} Bibi", "{first} Khatun", "{first} {last}", "Mst. {first} {last}"),
    "hispanic": (
        *("{first} {middle} {last} {other}", "{last} {other} {first}", "{first} {last} de {other}"),
        *("Ma. {first} {last}", "{first} {last}"),
    ),
    "filipino": ("Ma. {first} {last}", "{last}, {first} {o}.", "{first} {other} {last}"),
}
CHILD = {"arabic": ("bin", "bint"), "indonesian": ("bin", "binti")}


def at_home(rng: Random, culture: str, sex: str, parts: tuple[str, str, str]) -> str:
    """The whole name in the order and with the parts that its culture gives it: fathers' names, both families."""
    first, middle, last = parts
    female = sex == "female"
    ways = (WOMENS_WAYS if female and culture in WOMENS_WAYS else WAYS).get(culture, ())
    if not last or not ways:
        return ""
    found = stock()[culture]
    father, other = rng.choice(found.male), rng.choice(found.last)
    child = CHILD[culture][female] if culture in CHILD else f"{father}s{'dóttir' if female else 'son'}"
    return rng.choice(ways).format(
        first=first, middle=middle, last=last, father=father, other=other, child=child,
        fathers=patronymic(father, female=female), l=last[:1], f=father[:1], o=other[:1],
    )  # fmt: skip


def pet(name: str, rng: Random) -> str:
    """What colleagues make of a name: `Sullivan` -> `Sully`, `Kowalczyk` -> `Kow`."""
    plain = next((part for part in re.findall(r"[^\W\d_]+", name) if len(part) > 3), name)
    end = next(
        (at for at in range(2, len(plain)) if plain[at - 1].lower() in VOWELS and plain[at].lower() not in VOWELS),
        len(plain) - 1,
    )
    head = plain[: end + 1]
    doubled = head + head[-1] if plain[end + 1 : end + 2] == head[-1] else head
    return rng.choice(
        (doubled + "y", head, doubled + "ie", head + "s", head, doubled + "y", head + "ster", doubled + "o", head + "z")
    )


def initial(name: str) -> str:
    return name.lstrip("'’`")[:1].upper()


def plain_form(person: Person, form: str, rng: Random) -> str:  # noqa: PLR0912, a table of forms
    """One way of writing a person; `full` is never less than all the names there are."""
    first, last, middle = person.first, person.family, initial(person.middle)
    dot = rng.choice((".", ".", ""))
    match form:
        case "first":
            return first
        case "last":
            return last
        case "full":
            return person.full
        case "middle":
            return f"{first} {middle}{dot} {last}" if person.last else first
        case "lastfirst":
            return f"{last},{rng.choice((' ', ' ', ' ', ''))}{first}" if person.last else first
        case "lastfirstm":
            return f"{last}, {first} {middle}{dot}" if person.last else first
        case "initial":
            return f"{first} {initial(last)}." if person.last else first
        case "firstinitial":
            return f"{initial(first)}{dot} {last}"
        case "lastinitial":
            return f"{last} {initial(first)}{dot}" if person.last else first
        case "initials":
            letters = [initial(first), *([middle] if rng.random() < 0.3 else []), initial(last)]
            return "".join(f"{letter}." for letter in letters) if rng.random() < 0.75 else "".join(letters)
        case "local":
            return person.local or person.full
        case "pet":
            return pet(rng.choice((person.family, person.family, first)), rng)
        case "plural":
            return last + ("es" if last.lower().endswith(("s", "x", "z", "ch", "sh")) else "s")
        case "nick":
            return person.nick
        case "quoted":
            marks = rng.choice(('""', "()", "“”"))
            return f"{first} {marks[0]}{person.nick}{marks[1]} {last}"
        case "middlename":
            return f"{first} {person.middle} {last}" if person.last else first
        case "suffix":
            return f"{person.full}{rng.choice((' Jr.', ', Jr.', ' Jr', ' III', ' II', ' Sr.', ' IV'))}"
    raise KeyError(form)


FORMS = frozenset(
    "first last full middle lastfirst lastfirstm initial firstinitial lastinitial initials nick quoted".split()
) | {"middlename", "suffix", "local", "pet", "plural"}
PATIENT_MIX = {
    "full": 52, "middle": 8, "first": 9, "initial": 9, "lastfirst": 4, "lastfirstm": 1.5, "firstinitial": 4,
    "initials": 2, "middlename": 4, "suffix": 2, "quoted": 1, "lastinitial": 1, "nick": 1.5, "last": 1,
}  # fmt: skip
STAFF_MIX = {
    "full": 70, "middle": 9, "firstinitial": 8, "last": 5, "lastfirst": 3, "middlename": 2, "initial": 1.5, "suffix": 1,
}  # fmt: skip


def any_form(rng: Random, *, staff: bool) -> str:
    mix = STAFF_MIX if staff else PATIENT_MIX
    return rng.choices(list(mix), list(mix.values()))[0]

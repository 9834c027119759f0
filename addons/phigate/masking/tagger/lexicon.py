"""
What is known of a word: plain vocabulary, first or last name, place, part of a facility's name, title, drug ...

- A word can be many things at once (`rose`, `may`, `lake`): every flag stays, whoever asks decides.
- A word common in English or in notes and rare as a name has only RARE of the name flags.
- Words are asked for in lower case (`str.casefold`); accents and apostrophes do not matter.

The data beside this file is built by `python -m training.lexicon` from lists that training/README.md names.
"""

from functools import cache
from importlib.resources import files
from unicodedata import combining, normalize

(
    PLAIN, FUNCTION, FIRST, FIRST_COMMON, LAST, LAST_COMMON, PLACE, PLACE_COMMON, STATE, COUNTRY, FACILITY,
    FACILITY_NAME, STREET, MEDICAL, EPONYM, DRUG, TITLE, CREDENTIAL, RELATION, MONTH, LABEL, PLACE_PART, PARTICLE, RARE,
) = (1 << place for place in range(24))  # fmt: skip
"""
PLAIN ordinary English or clinical word; FUNCTION of, the, and ...; FACILITY hospital, clinic ...; FACILITY_NAME mercy,
mayo ...; MEDICAL disease, drug, anatomy, organism, test; MONTH months and weekdays; LABEL of a form's field; PLACE_PART
lake, springs ...; PARTICLE van, de la, al ...; RARE a plain word that is a name or place too, but seldom.
"""

LETTERS = str.maketrans(
    {
        "ø": "o",
        "ł": "l",
        "đ": "d",
        "ð": "d",
        "\u0131": "i",
        "æ": "ae",
        "œ": "oe",
        "þ": "th",
        "ə": "e",
        "'": "",
        "\u2019": "",
    }
)


def fold(word: str) -> str:
    """A word in lower case, without accents and apostrophes."""
    low = word.casefold()
    if low.isascii() and "'" not in low:
        return low
    return "".join(sign for sign in normalize("NFKD", low) if not combining(sign)).translate(LETTERS)


@cache
def table() -> dict[str, int]:
    """Every word with its flags, read once."""
    known: dict[str, int] = {}
    for line in files(__package__).joinpath("lexicon.txt").read_text(encoding="utf-8").splitlines():
        flags, _, words = line.partition("\t")
        known.update(dict.fromkeys(words.split(" "), int(flags, 16)))
    return known


def bits(word: str) -> int:
    """The flags of a case-folded word; 0 if nobody knows it."""
    known = table()
    found = known.get(word)
    if found is None and not (word.isascii() and word.isalpha()):
        found = known.get(fold(word))
    return found or 0

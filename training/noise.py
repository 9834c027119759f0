"""
What happens to text on its way: case, punctuation, spaces, line ends, typing errors, markup.

Works on pieces, so that labels stay where they belong. Each change is drawn by chance once per text; most texts stay
as they are.
"""

import re
from random import Random
from unicodedata import combining, normalize

from training.template import Piece

LOWER, UPPER = 0.14, 0.12
NEIGHBOURS = dict(zip("abcdefghijklmnopqrstuvwxyz", "svxfrgjkoklxmnpowtrygybzts", strict=True))
PLAIN_LETTERS = str.maketrans(
    {"ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "ß": "ss", "ı": "i", "æ": "ae", "œ": "oe"}
)
TAILS = ("", ".", "?", " thanks", " Thanks!", " pls", "...", " :)", "\n", " ok?", "!", "\n\nThank you.", " tia")
HEADS = ("hi, ", "Hey ", "- ", "> ", "* ", "Q: ", "Question: ", "## ", "1. ", "User: ", "please help: ", "\n", "  ")


def lower(pieces: list[Piece], _: Random) -> list[Piece]:
    return [piece._replace(text=piece.text.lower()) for piece in pieces]


def upper(pieces: list[Piece], _: Random) -> list[Piece]:
    return [piece._replace(text=piece.text.upper()) for piece in pieces]


def names_lower(pieces: list[Piece], _: Random) -> list[Piece]:
    """Somebody in a hurry writes everything well but the names."""
    return [piece._replace(text=piece.text.lower()) if piece.label else piece for piece in pieces]


def names_upper(pieces: list[Piece], rng: Random) -> list[Piece]:
    """Printed headers: `SMITH, John`, or all of the name."""
    whole = rng.random() < 0.5

    def changed(text: str) -> str:
        last, comma, first = text.partition(",")
        return text.upper() if whole or not comma else last.upper() + comma + first

    return [piece._replace(text=changed(piece.text)) if piece.label == "PERSON" else piece for piece in pieces]


def surname_upper(pieces: list[Piece], _: Random) -> list[Piece]:
    """`Maria GONZALEZ`."""

    def changed(text: str) -> str:
        first, space, last = text.rpartition(" ")
        return first + space + last.upper() if space else text

    return [piece._replace(text=changed(piece.text)) if piece.label == "PERSON" else piece for piece in pieces]


def no_commas(pieces: list[Piece], _: Random) -> list[Piece]:
    return [piece if piece.label else piece._replace(text=re.sub(r",(?= )", "", piece.text)) for piece in pieces]


def no_dots(pieces: list[Piece], _: Random) -> list[Piece]:
    """`Dr Smith`, `Anna S`; sentences run together."""
    return [piece._replace(text=re.sub(r"(?<=[A-Za-z])\.(?=\s|$)", "", piece.text)) for piece in pieces]


def wide(pieces: list[Piece], rng: Random) -> list[Piece]:
    """Two spaces after sentences, or anywhere."""
    after = r"(?<=[.:?]) (?=\S)" if rng.random() < 0.6 else r" (?=\S)"
    rate = 1.0 if after.startswith("(?<=") else 0.1
    return [
        piece._replace(text=re.sub(after, lambda _: "  " if rng.random() < rate else " ", piece.text))
        for piece in pieces
    ]


def wrapped(pieces: list[Piece], rng: Random) -> list[Piece]:
    """Broken into lines of one width, as by a mailer or a printer; names too."""
    width = rng.randint(38, 90)
    made, column = [], 0
    for piece in pieces:
        words = re.split(r"( )", piece.text)
        text = ""
        for word in words:
            breaks = word == " " and column > width
            text += "\n" if breaks else word
            column = 0 if breaks else len(word) - word.rindex("\n") if "\n" in word else column + len(word)
        made.append(piece._replace(text=text))
    return made


def mistyped(pieces: list[Piece], rng: Random) -> list[Piece]:
    """Swapped, doubled, lost and neighbouring letters in carrier words, now and then in a name."""

    def typo(word: str) -> str:
        at = rng.randrange(1, len(word) - 1)
        turn = rng.random()
        if turn < 0.3:
            return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
        if turn < 0.55:
            return word[:at] + word[at + 1 :]
        if turn < 0.75:
            return word[:at] + word[at] + word[at:]
        return word[:at] + NEIGHBOURS.get(word[at].lower(), word[at]) + word[at + 1 :]

    def changed(piece: Piece) -> Piece:
        rate = 0.06 if piece.label is None else 0.08
        pattern = r"[a-z]{4,}" if piece.label is None else r"[A-Z][a-z]{4,}"
        return piece._replace(
            text=re.sub(pattern, lambda found: typo(found[0]) if rng.random() < rate else found[0], piece.text)
        )

    return [changed(piece) for piece in pieces]


FIELD = re.compile(r"(?m)^([A-Z][\w /]{1,25}:)")


def starred(pieces: list[Piece], rng: Random) -> list[Piece]:
    """Markdown around what was filled in, or around the label before a colon."""
    mark = rng.choice(("**", "*", "_", "`", "**"))
    if rng.random() < 0.5:
        return [
            new
            for piece in pieces
            for new in ([Piece(mark), piece, Piece(mark)] if piece.label and rng.random() < 0.7 else [piece])
        ]
    return [
        piece if piece.label else piece._replace(text=FIELD.sub(rf"{mark}\1{mark}", piece.text)) for piece in pieces
    ]


def curly(pieces: list[Piece], _: Random) -> list[Piece]:
    return [piece._replace(text=piece.text.replace("'", "’")) for piece in pieces]


def unaccented(pieces: list[Piece], _: Random) -> list[Piece]:
    """As by a form that takes ASCII only; letters that ASCII cannot say stay."""

    def changed(text: str) -> str:
        return "".join(sign for sign in normalize("NFKD", text) if not combining(sign)).translate(PLAIN_LETTERS)

    return [piece._replace(text=changed(piece.text)) for piece in pieces]


def titled(pieces: list[Piece], rng: Random) -> list[Piece]:
    """Carrier Text In Title Case, as in headings and forms; all of it or only here and there."""
    rate = rng.choice((1.0, 0.3, 0.1))
    return [
        piece
        if piece.label
        else piece._replace(
            text=re.sub(
                r"(?<![\w'’@./-])[a-z][a-z]{3,}(?![\w]*@)",
                lambda found: found[0].capitalize() if rng.random() < rate else found[0],
                piece.text,
            )
        )
        for piece in pieces
    ]


def ended(pieces: list[Piece], rng: Random) -> list[Piece]:
    """Something before or after."""
    if rng.random() < 0.4:
        return [Piece(rng.choice(HEADS)), *pieces]
    last = pieces[-1]
    if last.label is None and last.text[-1:] in {".", "?"} and rng.random() < 0.6:
        pieces = [*pieces[:-1], last._replace(text=last.text[:-1])]
    return [*pieces, Piece(rng.choice(TAILS))]


def cut(pieces: list[Piece], rng: Random) -> list[Piece]:
    """The end is missing: a part of a longer text, an answer under way."""
    if len(pieces) < 4:
        return pieces
    kept = pieces[: rng.randint(len(pieces) // 2, len(pieces) - 1)]
    last = kept[-1]
    length = len(last.text) if last.label else max(1, int(len(last.text) * rng.random()))
    return [*kept[:-1], last._replace(text=last.text[:length])]


CASES = ((lower, LOWER), (upper, UPPER), (names_lower, 0.03), (names_upper, 0.035), (surname_upper, 0.015))
OTHERS = (
    *(
        (no_commas, 0.04),
        (no_dots, 0.04),
        (wide, 0.05),
        (wrapped, 0.06),
        (titled, 0.05),
        (mistyped, 0.07),
        (starred, 0.04),
    ),
    *((curly, 0.05), (unaccented, 0.1), (ended, 0.12), (cut, 0.04)),
)


def noisy(pieces: list[Piece], rng: Random) -> list[Piece]:
    """At most one change of case, and any of the others."""
    for change, rate in OTHERS:
        if rng.random() < rate:
            pieces = change(pieces, rng)
    turn = rng.random()
    for change, rate in CASES:
        if turn < rate:
            return change(pieces, rng)
        turn -= rate
    return pieces

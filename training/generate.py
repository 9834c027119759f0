"""
Texts with their names and places marked, made from templates: `python -m training.generate --show 20 --seed 7`.

The same seed gives the same texts; each depends on its own number alone. Nothing is read but the files of this folder.
"""

import argparse
import re
from collections.abc import Container, Iterator
from functools import cache
from pathlib import Path
from random import Random
from typing import NamedTuple

from training.fill import Filler
from training.noise import noisy
from training.template import Piece, Template, expand, load

TEMPLATES = Path(__file__).parent / "templates"
KINDS = {
    "note": 34, "query": 26, "negative": 22, "header": 8, "letter": 6, "dialogue": 6, "message": 6, "report": 6,
    "list": 5, "json": 5, "answer": 5, "email": 4, "order": 3,
}  # fmt: skip
"""How often a kind is drawn; one that is not named here has 5."""


class Example(NamedTuple):
    text: str
    spans: list[tuple[int, int, str]]
    """Start, end, label: in order, apart from each other."""
    template: str
    kind: str


@cache
def templates() -> tuple[Template, ...]:
    return tuple(template for path in sorted(TEMPLATES.glob("*.txt")) for template in load(path))


def examples(seed: int, count: int, *, only: Container[str] | None = None, noise: bool = True) -> Iterator[Example]:
    """`only` holds the ids of the templates that may be used: cross-validation is by template."""
    by_kind: dict[str, list[Template]] = {}
    for template in templates():
        if only is None or template.id in only:
            by_kind.setdefault(template.kind, []).append(template)
    kinds = sorted(by_kind)
    weights = [KINDS.get(kind, 5) for kind in kinds]
    for number in range(count):
        rng = Random(f"{seed}:{number}")
        template = rng.choice(by_kind[rng.choices(kinds, weights)[0]])
        yield example(template, rng, noise=noise)


def example(template: Template, rng: Random, *, noise: bool = True) -> Example:
    pieces = tidied(list(expand(template.parts, rng, Filler(rng))), rng)
    if noise:
        pieces = noisy(pieces, rng)
    return assembled(merged(pieces), template)


# -- between filling and assembling

SENTENCE_SLOTS = {"pron", "poss", "obj", "relation", "season", "the"}
EIGHT = re.compile(r"(8|11|18)(\D|$)|8\d(\D|$)")
SOUNDS_LIKE_YU = re.compile(r"(?i)(uni|use|uro|eu|ute|one\b|u\.s\.|uk\b|us\b)")
LETTER_NAMES = re.compile(r"([AEFHILMNORSX])(?=[A-Z0-9]{1,5}\b|-|\d)")


def begins_with_vowel(text: str) -> bool:
    if text[:1].isdigit():
        return bool(EIGHT.match(text))
    if text[:3].isupper() or LETTER_NAMES.match(text):
        return text[:1] in "AEFHILMNORSX"
    return text[:1].lower() in "aeiou" and not SOUNDS_LIKE_YU.match(text)


SEX = {"female": ("woman", "female", "woman", "lady"), "male": ("man", "male", "man", "gentleman")}


def sex_of(text: str, before: str, rng: Random) -> str:
    """`72F`, `Sex: Female`, `a 72-year-old woman`: as the place asks for."""
    if before[-1:].isdigit():
        return text[0].upper()
    if before[-2:] in {": ", "| "} or before[-1:] in {":", "|", "/", '"'}:
        return rng.choice((text[0].upper(), text.capitalize(), text))
    return rng.choice(SEX[text])


def seamless(before: str, after: str) -> str:
    """Two stretches of template text, without the space too many that an empty alternative leaves."""
    if before.endswith((" ", "\n")) and after.startswith(" "):
        after = after.lstrip(" ")
    if before.endswith(" ") and LOOSE.match(after):
        before = before.rstrip(" ")
    if ends_by_dot(before, after):
        after = after[1:]
    return before + after


def ends_by_dot(before: str, after: str) -> bool:
    """Whether an abbreviation's dot ends the sentence too."""
    return before.endswith(".") and not before.endswith("..") and bool(ONE_DOT.match(after))


ONE_DOT = re.compile(r"\.(?:\s|$)")
LOOSE = re.compile(r"[.,;?!)](?:\s|$)")


def joined(pieces: list[Piece]) -> list[Piece]:
    """Template text in one piece where it touches, its articles put right."""
    made: list[Piece] = []
    for piece in pieces:
        if not piece.slot and not piece.label and made and not made[-1].slot and not made[-1].label:
            made[-1] = Piece(seamless(made[-1].text, piece.text))
        else:
            made.append(piece)
    return [piece if piece.slot or piece.label else Piece(ARTICLE.sub(article, piece.text)) for piece in made]


ARTICLE = re.compile(r"(?<![\w'.])(a|(?:(?<=\n)|(?<=[.!?] )|^)A)n? (?=(\w[\w.-]*))")


def article(found: re.Match[str]) -> str:
    return found[1] + ("n " if begins_with_vowel(found[2] + " ") else " ")


def tidied(pieces: list[Piece], rng: Random) -> list[Piece]:
    """Without what a person would not write: `a 80-year-old`, `the the`, the spaces around an empty alternative, a
    sentence that begins in lower case.
    """
    made: list[Piece] = []
    before = ""
    for piece in joined(pieces):
        text = sex_of(piece.text, before, rng) if piece.slot == "sex" else piece.text
        if not piece.slot and ends_by_dot(before, text):
            text = text[1:]
        if not text:
            continue
        if piece.slot == "the" and re.search(r"(?i)\b(the|a|an|our|your|this) $", before):
            continue
        if not piece.slot:
            text = seamless(before or "\n", text).removeprefix(before or "\n") if not LOOSE.match(text) else text
        if made and LOOSE.match(text) and not made[-1].label:
            made[-1] = made[-1]._replace(text=made[-1].text.rstrip(" "))
        if article := re.search(r"\b([Aa])(n?) $", before):
            want = "n" if begins_with_vowel(text) else ""
            if want != article[2] and not made[-1].label and made[-1].text.endswith(article[0]):
                made[-1] = made[-1]._replace(text=made[-1].text[: -len(article[0])] + article[1] + want + " ")
        if piece.slot in SENTENCE_SLOTS and re.search(r"(^|[.!?:]\s+|\n)$", before):
            text = text[:1].upper() + text[1:]
        if text:
            made.append(piece._replace(text=text))
            before = (before + text)[-40:]
    return made


def whole_names(pieces: list[Piece]) -> list[Piece]:
    """`{patient.first} {patient.last}` is one name; so is `{patient.last}s`."""
    made: list[Piece] = []
    for piece in pieces:
        apart = [one.text for one in made[-1:] if one.text == " "]
        if apart and len(made) > 1 and piece.label == made[-2].label == "PERSON" and piece.slot == made[-2].slot:
            made[-2:] = [piece._replace(text=f"{made[-2].text} {piece.text}")]
        elif made and made[-1].label == "PERSON" and not piece.slot and (plural := PLURAL.match(piece.text)):
            made[-1] = made[-1]._replace(text=made[-1].text + plural[0])
            made.append(piece._replace(text=piece.text[len(plural[0]) :]))
        else:
            made.append(piece)
    return made


PLURAL = re.compile(r"(?i)e?s(?![\w'’])")
"""`the Stones`: the s belongs to the name."""


def part_of_address(piece: Piece) -> str:
    if piece.label == "LOCATION":
        return "L"
    if piece.slot in {"zip", "st", "state", "country"}:
        return "Z" if piece.slot == "zip" else "S"
    return "," if not piece.label and re.fullmatch(r",? *", piece.text) else "."


def merged(pieces: list[Piece]) -> list[Piece]:
    """`street, city, ST zip` is one place: what is between, the state or country and the ZIP after belong to it."""
    pieces = whole_names(pieces)
    kinds = "".join(map(part_of_address, pieces))
    made: list[Piece] = []
    at = 0
    for found in re.finditer(r"L(?:,+L)*(?:,+S)?(?:,*Z)?", kinds):
        made += pieces[at : found.start()]
        made.append(Piece("".join(piece.text for piece in pieces[found.start() : found.end()]), "LOCATION", "address"))
        at = found.end()
    return made + pieces[at:]


def assembled(pieces: list[Piece], template: Template) -> Example:
    text, spans = "", []
    for piece in pieces:
        if piece.label and (bare := piece.text.strip()):
            start = len(text) + piece.text.index(bare)
            spans.append((start, start + len(bare), piece.label))
        text += piece.text
    return Example(text, spans, template.id, template.kind)


# -- to look at


def marked(shown: Example) -> str:
    """The text with its spans in brackets."""
    made, at = "", 0
    for start, end, label in shown.spans:
        made += f"{shown.text[at:start]}⟦{label[0]} {shown.text[start:end]}⟧"
        at = end
    return made + shown.text[at:]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--show", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kind", help="only this kind, or only templates whose id begins so")
    parser.add_argument("--clean", action="store_true", help="without noise")
    asked = parser.parse_args()
    chosen = {
        template.id for template in templates()
        if asked.kind is None or template.kind == asked.kind or template.id.startswith(asked.kind)
    }  # fmt: skip
    for shown in examples(asked.seed, asked.show, only=chosen, noise=not asked.clean):
        print(f"-- {shown.template}\n{marked(shown)}\n")

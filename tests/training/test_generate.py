"""The texts that the tagger learns from."""

import re
from itertools import pairwise
from random import Random

import pytest

from training.fill import known
from training.generate import assembled, example, examples, merged, templates, tidied
from training.template import Piece, Template, slots

ALL = templates()


@pytest.mark.parametrize("template", ALL, ids=lambda template: template.id)
def test_every_template_says_what_its_slots_say(template):
    assert [slot for slot in slots(template.parts) if not known(slot)] == []
    for seed in range(4):
        made = example(template, Random(seed), noise=seed > 1)
        assert made.text.strip()
        assert all(made.text[start:end].strip() == made.text[start:end] != "" for start, end, _ in made.spans)
        assert all(one[1] <= other[0] for one, other in pairwise(made.spans))
        assert {label for _, _, label in made.spans} <= {"PERSON", "LOCATION", "ORGANIZATION"}
        assert template.kind != "negative" or made.spans == []


def test_templates_are_many_and_their_ids_differ():
    assert len(ALL) > 390
    assert len({template.id for template in ALL}) == len(ALL)
    assert len([template for template in ALL if template.kind == "negative"]) > 100


def test_the_same_seed_gives_the_same_texts():
    assert list(examples(7, 80)) == list(examples(7, 80))
    assert list(examples(7, 80))[:20] == list(examples(7, 20))
    assert list(examples(7, 80)) != list(examples(8, 80))


def test_only_those_templates_that_were_asked_for():
    assert {made.template for made in examples(1, 50, only={"lists-001", "json-002"})} == {"lists-001", "json-002"}


def test_texts_read_as_a_person_would_write_them():
    clean = [made for made in examples(3, 1500, noise=False) if made.kind in {"query", "email", "dialogue", "negative"}]
    wrong = re.compile(
        r"\ba (?:8\d|11|18)-|\ban (?:(?!11|18)[1-79]\d-|[bcdfgjklpqtvwyz])|\bthe the\b|[a-z] [,?](?:\s|$)|\w  \w"
    )
    assert [found[0] for made in clean for found in [wrong.search(made.text)] if found] == []


def marked(pieces):
    made = assembled(merged(tidied(pieces, Random(1))), Template("x-001", "x", ()))
    return [(made.text[start:end], label) for start, end, label in made.spans], made.text


@pytest.mark.parametrize(
    ("sentence", "pieces", "spans"),
    [
        (
            "an address is one place, with its ZIP",
            [
                *(Piece("12 Elm St", "LOCATION", "street"), Piece(", "), Piece("Amberly", "LOCATION", "city")),
                *(Piece(", "), Piece("OH", None, "st"), Piece(" "), Piece("43210", None, "zip"), Piece(".")),
            ],
            [("12 Elm St, Amberly, OH 43210", "LOCATION")],
        ),
        (
            "its state is part of a city",
            [Piece("Amberly", "LOCATION", "city"), Piece(", "), Piece("OH", None, "st"), Piece(".")],
            [("Amberly, OH", "LOCATION")],
        ),
        (
            "a state alone is no place",
            [Piece("from "), Piece("Ohio", None, "state"), Piece(".")],
            [],
        ),
        (
            "two lines are two places",
            [Piece("12 Elm St", "LOCATION", "street"), Piece("\n"), Piece("Amberly", "LOCATION", "city")],
            [("12 Elm St", "LOCATION"), ("Amberly", "LOCATION")],
        ),
        (
            "first and last are one name",
            [Piece("Ana", "PERSON", "patient"), Piece(" "), Piece("Stone", "PERSON", "patient")],
            [("Ana Stone", "PERSON")],
        ),
        (
            "a family's s is part of its name",
            [Piece("the "), Piece("Stone", "PERSON", "patient"), Piece("s left")],
            [("Stones", "PERSON")],
        ),
        (
            "two people are two",
            [Piece("Ana", "PERSON", "patient"), Piece(" "), Piece("Bo", "PERSON", "nurse")],
            [("Ana", "PERSON"), ("Bo", "PERSON")],
        ),
    ],
)
def test_spans(sentence, pieces, spans):
    assert marked(pieces)[0] == spans


@pytest.mark.parametrize(
    ("pieces", "text"),
    [
        ([Piece("a "), Piece("84", None, "age"), Piece("-year-old")], "an 84-year-old"),
        ([Piece("an "), Piece("MRI", None, "test")], "an MRI"),
        ([Piece("a "), Piece("uterine fibroid", None, "disease")], "a uterine fibroid"),
        (
            [Piece("at the "), Piece("the ", None, "the"), Piece("Amber Clinic", "ORGANIZATION", "facility")],
            "at the Amber Clinic",
        ),
        ([Piece("Well. "), Piece("she", None, "pron"), Piece(" left")], "Well. She left"),
        ([Piece("results "), Piece(""), Piece(".")], "results."),
        ([Piece("Ana S.", "PERSON", "patient"), Piece(". Well")], "Ana S. Well"),
        ([Piece("at "), Piece("5 p.m.", None, "time"), Piece("... later")], "at 5 p.m.... later"),
        ([Piece("72", None, "age"), Piece("female", None, "sex")], "72F"),
    ],
)
def test_small_things_are_put_right(pieces, text):
    assert marked(pieces)[1] == text

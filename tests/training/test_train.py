from __future__ import annotations

import hashlib
from collections import defaultdict

import pytest

from phigate.masking.tagger.model import read
from phigate.masking.tagger.tokens import split
from training.generate import Example, examples

pytest.importorskip("pycrfsuite", reason="the trainer is not installed")

from training.train import SEED, Counts, completed, evaluated, labelled, trained, varied


def quiet(_: str) -> None:
    pass


def made(seed: int) -> bytes:
    return trained(list(varied(examples(seed, 150), seed)), seed, say=quiet)


def test_the_same_recipe_gives_the_same_file():
    once, again = made(SEED), made(SEED)
    assert hashlib.sha256(once).hexdigest() == hashlib.sha256(again).hexdigest()
    assert read(once).head["recipe"] == read(again).head["recipe"]


def test_another_seed_gives_another_file():
    assert read(made(1)).head["recipe"] != read(made(2)).head["recipe"]


@pytest.mark.parametrize(
    ("text", "place", "expected"),
    [
        ("in Dallas, TX today", "Dallas", " Dallas, TX"),
        ("in Albany, New York, on", "Albany", " Albany, New York"),
        ("our Dallas clinic is", "Dallas", " Dallas clinic"),
        ("in Dallas, where", "Dallas", " Dallas"),
        ("in Dallas\nTX", "Dallas", " Dallas"),
    ],
)
def test_a_place_goes_on_to_its_state_and_to_what_it_names(text, place, expected):
    tokens = split(text)
    begin = text.index(place)
    labels = completed(tokens, labelled(tokens, [(begin, begin + len(place), "LOCATION")]))
    assert "".join(raw for raw, label in zip(tokens, labels, strict=True) if label == "LOCATION") == expected


def test_varied_examples_keep_their_names_where_they_are():
    given = list(examples(3, 300))
    names = {example.text[begin:end].casefold() for example in given for begin, end, _ in example.spans}
    parts = names | {name.split()[0] for name in names} | {"maria"}
    seen = list(varied(given, 3))
    assert len(seen) > len(given)
    for example in seen:
        assert all(example.text[begin:end].casefold() in parts for begin, end, _ in example.spans)


def test_what_is_found_is_counted_by_label_and_by_kind():
    counts = defaultdict(Counts)
    model = read(made(SEED))
    evaluated(model, [Example("Dr. Ann Bell", [(4, 12, "PERSON")], "t", "note")], counts)
    assert counts["PERSON"].found + counts["PERSON"].missed == 1
    assert counts["note"].found == counts["PERSON"].found

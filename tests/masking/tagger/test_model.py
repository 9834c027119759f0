from __future__ import annotations

from itertools import pairwise, product
from math import exp
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phigate.masking.tagger.model import LABELS, SCALE, Model, packed, read, shipped, unpacked, written

HEAD: dict[str, Any] = {
    "vocabulary": ["by", "seen"],
    "joins": [],
    "transitions": [(7 * n) % 90 - 40 for n in range(16)],
}
THREE = st.tuples(*[st.integers(-9000, 9000)] * 3)


@given(st.lists(THREE, max_size=20))
def test_packed_weights_add_up_all_three_at_once(rows):
    total = sum((packed(*row) for row in rows), 0)
    assert unpacked(total) == tuple(sum(column) for column in zip((0, 0, 0), *rows, strict=True))


@given(st.lists(st.tuples(*[st.integers(-300, 300)] * 3), min_size=1, max_size=4))
def test_marginals_are_those_of_all_labellings(rows):
    moves = [[HEAD["transitions"][4 * one + two] for two in range(4)] for one in range(4)]
    expected, whole = [[0.0] * 4 for _ in rows], 0.0
    for labelling in product(range(4), repeat=len(rows)):
        weight = sum((0, *row)[label] for row, label in zip(rows, labelling, strict=True))
        weight += sum(moves[one][two] for one, two in pairwise(labelling))
        share = exp(weight / SCALE)
        whole += share
        for at, label in enumerate(labelling):
            expected[at][label] += share
    found = Model(HEAD, {}).marginals([packed(*row) for row in rows])
    if not found:
        assert max(1 - each[0] / whole for each in expected) < 0.1
        return
    for three, four in zip(found, expected, strict=True):
        assert three == pytest.approx([each / whole for each in four[1:]], abs=1e-9)


def test_a_model_is_read_as_it_was_written():
    weights = {"0title 0": (1, -2, 3), "A77": (-4, 5, 0), "-1wseen": (9, 0, 0)}
    content = written(HEAD, weights)
    assert content == written(HEAD, dict(reversed(weights.items())))
    model = read(content)
    assert model.head == HEAD
    assert model.word(" seen").cid == 2
    assert model.word(" seen") is model.word(" seen")


def test_a_word_in_its_place_adds_its_weights():
    model = read(written(HEAD, {"-1wseen": (9, 0, 0), "-2wseen": (0, 7, 0)}))
    words = [model.begin] * 3 + [model.word(raw) for raw in ("seen", " Ann", " Bell")] + [model.end] * 2
    assert [unpacked(each) for each in model.sums(words, [0] * 8, 4, 6)] == [(9, 0, 0), (0, 7, 0)]


def test_the_shipped_model_says_what_it_was_made_from():
    head = shipped().head
    assert head["labels"] == list(LABELS)
    assert head["scale"] == SCALE
    assert head["count"] > 0
    assert len(head["recipe"]) == 64
    assert head["trainer"].startswith("python-crfsuite ")

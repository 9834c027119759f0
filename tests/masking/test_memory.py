from __future__ import annotations

import pytest

from phigate.masking import memory as module
from phigate.masking.evidence import Hit
from phigate.masking.memory import MOST, Memory


def memory_of(*names: str, entity: str = "PERSON", score: float = 0.9) -> Memory:
    memory = Memory()
    for name in names:
        memory.learn([Hit(0, len(name), entity, "test", score)], name)
    return memory


def found(memory: Memory, text: str) -> list[str]:
    words, at = [], 0
    while hit := memory.next(text, at, len(text)):
        words.append(text[hit.begin : hit.end])
        at = hit.end
    return words


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("Ada Brandt", "brandt, ADA and Ada's", ["brandt", "ADA", "Ada"]),
        ("Zoë Brändli", "so zoë and BRÄNDLI", ["zoë", "BRÄNDLI"]),
        ("Ada Brandt", "Adam, Brandts, ada7, x_ada", []),
        ("Anna S.", "S. and Anna", ["Anna"]),
        ("Dr. van der Berg, MD PhD", "the van, MD, der Berg", ["Berg"]),
        ("May Brandt", "in May. May is here", ["May"]),
        ("May Brandt", "may be", []),
        ("MAY BRANDT", "seen in May", []),
        ("Will Stone", "so Will did; he will", ["Will"]),
        ("Will Stone", "Will she?\nWill it - Will", []),
    ],
)
def test_a_remembered_name(name: str, text: str, words: list[str]) -> None:
    assert found(memory_of(name), text) == words


@pytest.mark.parametrize("until", range(4, 9))
def test_a_word_counts_where_it_begins(until: int) -> None:
    memory, text = memory_of("Brandt"), "for Brandt."
    known = memory.next(text, 0, until)
    assert (known and text[known.begin : known.end]) == ("Brandt" if until > 4 else None)


def test_only_sure_names_of_people_are_remembered() -> None:
    assert not memory_of("Ada", score=0.4)
    assert not memory_of("Ada", entity="MRN")
    assert memory_of("Ada")


def test_a_copy_learns_apart() -> None:
    memory = memory_of("Ada Brandt")
    memory.copy().learn([Hit(0, 6, "PERSON", "test", 0.9)], "Quarrel"[:6])
    assert found(memory, "Quarre") == []
    assert found(memory.copy(), "Ada") == ["Ada"]


def test_what_is_remembered_is_bounded() -> None:
    memory = Memory()
    for number in range(MOST + 10):
        name = "q" + "".join(chr(97 + int(digit)) for digit in str(number))
        memory.learn([Hit(0, len(name), "PERSON", "test", 0.9)], name)
    assert len(memory._words) <= MOST


def test_what_another_remembers_is_found_as_well_and_the_other_stays_as_it_was():
    one, two = memory_of("Ada Brandt"), memory_of("Quartermaine")
    one.join(two)
    assert found(one, "Quartermaine saw Brandt") == ["Quartermaine", "Brandt"]
    assert found(two, "Quartermaine saw Brandt") == ["Quartermaine"]


def test_no_more_is_taken_over_than_is_remembered():
    full, more = Memory(), memory_of("Quartermaine")
    full._words = {f"word{number}": ("PERSON", 0.9) for number in range(MOST)}
    full.join(more)
    assert found(full, "Quartermaine") == []


class Counted:
    """An expression that counts the characters it is asked to list the words of."""

    def __init__(self, expression):
        self._expression, self.read = expression, 0

    def findall(self, text, at, end):
        self.read += end - at
        return self._expression.findall(text, at, end)

    def finditer(self, text, at):
        return self._expression.finditer(text, at)


def test_names_that_stand_close_are_found_without_reading_the_rest_each_time(monkeypatch):
    counted = Counted(module.LONG_WORD)
    monkeypatch.setattr(module, "LONG_WORD", counted)
    text = "Quartermaine said no. " * 2000
    assert len(found(memory_of("Quartermaine"), text)) == 2000
    assert counted.read < 20 * len(text)


@pytest.mark.parametrize("before", [0, 250, 251, 255, 256, 257, 300, 17_000])
def test_a_name_is_found_wherever_it_lies_between_what_is_read_at_once(before):
    text = ("ab " * before)[:before] + " Quartermaine x"
    assert found(memory_of("Quartermaine"), text) == ["Quartermaine"]

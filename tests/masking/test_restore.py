"""Stand-ins of a prompt are found in the answer and nothing else is, and their originals are put back."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phigate.dialect import openai
from phigate.masking import Memory
from phigate.masking.restore import STAND_IN, Original, Standing, StandIns
from phigate.masking.sight import Sight
from phigate.policy.masks import Mask, Transform
from tests.masking.test_answer import DETECTORS, SECRETS, SHOWN, Transformer, cut, streamed
from tests.traffic import events

WORDS = ["Maria Lopez", "Maria Lopez Diaz", "(212) 555-0147", "PERSON_ab12cd34ef56", "MRN-77", "03/05/2024"]
SOURCE = Standing(WORDS)
FOUND = [
    ("as it is", "saw Maria Lopez.", ["Maria Lopez"]),
    ("the longest", "Maria Lopez Diaz", ["Maria Lopez Diaz"]),
    ("nothing that goes on", "Maria Lopezian, xMaria Lopez, Maria Lopez-Smith, Maria Lopez's", ["Maria Lopez"]),
    ("twice", "Maria Lopez Maria Lopez", ["Maria Lopez", "Maria Lopez"]),
    ("beside brackets", "((212) 555-0147)", ["(212) 555-0147"]),
    ("none that was altered", "maria lopez, Maria  Lopez, M. Lopez", []),
    ("at the end", "on 03/05/2024", ["03/05/2024"]),
    ("no part of a number", "03/05/20245 103/05/2024 03/05/2024/1", []),
]


@pytest.mark.parametrize(("sentence", "text", "expected"), FOUND, ids=[case[0] for case in FOUND])
def test_stand_ins_are_found_as_they_were_written(sentence, text, expected):
    assert [text[hit.begin : hit.end] for hit in SOURCE.hits(text)] == expected


PIECES = st.lists(st.sampled_from([*WORDS, "Maria", " Lopez", "-", "x", " ", ". ", "(", "03/05"]), max_size=8).map(
    "".join
)


@settings(max_examples=300)
@given(text=PIECES, places=st.lists(st.integers(0, 200), max_size=12))
def test_the_hits_are_the_same_at_any_chunking(text, places):
    reader, hits, settled = SOURCE.reader(), [], 0
    marks = [0, *sorted(place % (len(text) + 1) for place in places), len(text)]
    for start, end in itertools.pairwise(marks):
        found = reader.feed(text[start:end])
        assert all(hit.begin >= settled for hit in found)
        settled = reader.settled
        hits += found
    hits += reader.close()
    assert hits == SOURCE.hits(text)
    assert {hit.entity for hit in hits} <= {STAND_IN}


def test_what_two_values_share_is_put_back_for_neither():
    known = StandIns()
    known.add("Maria Lopez", "Ada Byron", "PERSON")
    known.add("Maria Lopez", "Zoe Quist", "PERSON")
    known.add("Maria Lopez", "Ada Byron", "PERSON")
    known.add("PERSON_1", "Ada Byron", "PERSON")
    known.add("5/4", "3/4", "DATE_TIME")
    assert known.originals == {"PERSON_1": Original("Ada Byron", "PERSON")}


# -- an exchange ------------------------------------------------------------------------------------------------------

PROMPT = Mask("prompt", {"OTHER": Transform("surrogate"), "MRN": Transform("hash")})
ANSWER = Mask("answer", {"OTHER": Transform("redact")})
SAID = "Patient: Elowen Quartermaine, MRN: 61-83-49, seen 03/05/2024, phone (212) 555-0147."


def asked():
    """The prompt as the model reads it, and the sight of the answer to it."""
    known = StandIns()
    shown = Transformer(SHOWN, SECRETS, "ada")
    prompt = Sight(DETECTORS, SECRETS, Transformer(PROMPT, SECRETS, "ada"), shown, stand_ins=known)
    read = prompt.for_caller(SAID)
    known.teach(prompt.names)
    return read, lambda: Sight(
        *(DETECTORS, SECRETS, Transformer(ANSWER, SECRETS, "ada"), shown, prompt.names.copy() or Memory(), None, known)
    )


def test_the_caller_reads_what_the_caller_wrote_and_bystanders_do_not():
    read, answering = asked()
    assert "Quartermaine" not in read
    assert "61-83-49" not in read
    caller, shown = answering().text(f"Noted. {read} Copied to Tamsin Okonkwo, SSN 536-22-8145.")
    assert SAID in caller
    assert "536-22-8145" not in caller
    assert "Quartermaine" not in shown
    assert "61-83-49" not in shown


@settings(max_examples=60, deadline=None)
@given(step=st.integers(1, 40), places=st.lists(st.integers(0, 20_000), max_size=20))
def test_a_stream_puts_back_the_same_at_any_chunking(step, places):
    read, answering = asked()
    text = f"Noted. {read} And that is all."
    caller, _, _ = streamed(cut(b"".join(events(text, step)), places), answering())
    assert caller == answering().for_caller(text) == f"Noted. {SAID} And that is all."


def test_arguments_of_a_tool_hold_the_originals_too():
    read, answering = asked()
    message = {"tool_calls": [{"function": {"name": "note", "arguments": f'{{"text":"{read}"}}'}}]}
    caller = answering().tree_for_caller({"choices": [{"message": message}]}, openai.ANSWER)
    assert "Quartermaine" in caller["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"]


def test_an_altered_stand_in_is_masked():
    read, answering = asked()
    name = read.partition(": ")[2].partition(",")[0]
    altered = name.split()[-1]
    assert altered not in answering().for_caller(f"The note says that {altered} slept well.")

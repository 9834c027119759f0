"""Where answers are cut."""

from dataclasses import replace

from phigate.conformance import probe, wire
from phigate.conformance.cases import PIECE, WHOLE, Ask, Case
from phigate.conformance.cuts import Cut, cuts, middles

WHOLE_CASE = Case("d", "c", Ask("/"), "json", head=({"a": WHOLE},), spoken="abcdef")
STREAMED = Case("d", "c", Ask("/"), "sse", each=({"a": PIECE},))


def test_a_whole_body_is_cut_at_every_byte_alone_and_at_all():
    size = len(wire.answer(WHOLE_CASE).body)
    every, *singly = cuts(WHOLE_CASE, None)
    assert every == Cut((), tuple(range(1, size)), "bytes at every byte")
    assert [cut.raw for cut in singly] == [(place,) for place in range(1, size)]
    assert {cut.text for cut in singly} == {()}


def test_a_stream_is_cut_at_every_character_and_every_byte():
    size = len(wire.answer(STREAMED, at=(10,)).body)
    found = list(cuts(STREAMED, None))
    assert [cut.text for cut in found if cut.raw is None and len(cut.text) == 1] == [
        (place,) for place in range(1, len(probe.TEXT))
    ]
    assert found[0].text == tuple(range(1, len(probe.TEXT)))
    assert [cut.raw for cut in found if cut.raw is not None and len(cut.raw) == 1] == [(at,) for at in range(1, size)]


def test_some_places_are_those_within_identifiers_first_and_the_same_each_time():
    some = [cut.text[0] for cut in cuts(STREAMED, 5) if cut.raw is None and len(cut.text) == 1]
    assert some[:4] == middles(probe.TEXT)
    assert len(some) == 5
    assert list(cuts(STREAMED, 5)) == list(cuts(STREAMED, 5))


def test_few_places_are_still_all_kinds_of_cuts():
    kinds = [cut.name.rpartition(" ")[0] for cut in cuts(STREAMED, 2)]
    assert kinds == ["text at every", *["text at character"] * 2, "bytes at every", "bytes at byte"]
    assert [cut.name for cut in cuts(STREAMED, 0)] == ["text at every character", "bytes at every byte"]
    assert [cut.name for cut in cuts(WHOLE_CASE, 0)] == ["bytes at every byte"]


def test_the_middle_of_what_spells_no_identifier_is_its_middle():
    assert middles("abcdef") == [3]


def test_an_event_that_carries_one_character_is_given_no_more():
    case = replace(STREAMED, letters=True)
    assert [cut.name for cut in cuts(case)] == ["text at every character"]

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from phigate.masking.evidence import Hit
from phigate.masking.spans import components, first_component, settle

TEXT = "Ada B. Brandt, 12 Elm St., Boston General 02/03/2024 x"
HITS = st.lists(
    st.builds(
        lambda begin, size, entity, score: Hit(begin, min(begin + size, len(TEXT)), entity, f"d{score}", score),
        st.integers(0, len(TEXT) - 1),
        st.integers(1, 20),
        st.sampled_from(["PERSON", "LOCATION", "ORGANIZATION", "DATE_TIME", "MRN"]),
        st.sampled_from([0.3, 0.5, 0.7, 0.95]),
    ),
    max_size=7,
).map(sorted)


def covered(hits: list[Hit]) -> set[int]:
    return {at for each in hits for at in range(each.begin, each.end) if TEXT[at].isalnum()}


def standing(hits: list[Hit]) -> list[Hit]:
    return [each for group in components(hits) for each in settle(group, TEXT)]


@given(HITS)
def test_what_stands_is_in_order_and_apart_and_covers_every_letter_that_was_covered(hits: list[Hit]) -> None:
    found = standing(hits)
    assert all(one.end <= other.begin for one, other in pairwise(found))
    assert covered(found) == covered(hits)


@given(HITS)
def test_settling_again_changes_nothing(hits: list[Hit]) -> None:
    found = standing(hits)
    assert standing(found) == found


@given(HITS, st.randoms(use_true_random=False))
def test_the_order_in_which_sources_speak_does_not_matter(hits: list[Hit], random) -> None:
    for group in components(hits):
        mixed = list(group)
        random.shuffle(mixed)
        assert settle(mixed, TEXT) == settle(group, TEXT)


def test_of_hits_that_say_the_same_the_surest_stands() -> None:
    same = [Hit(0, 6, "PERSON", name, score) for name, score in (("c", 0.7), ("b", 0.9), ("a", 0.9), ("tagger", 0.8))]
    assert settle(same, TEXT) == [Hit(0, 6, "PERSON", "a", 0.9)]
    unsure = Hit(0, 6, "PERSON", "unsure", 0.3)
    assert settle([*same, unsure], TEXT) == settle(same, TEXT)


@given(HITS)
def test_no_more_sure_than_the_surest(hits: list[Hit]) -> None:
    assert all(each.score <= max(hit.score for hit in hits) for each in standing(hits))


@given(HITS)
def test_components_are_all_hits_in_groups_that_do_not_touch(hits: list[Hit]) -> None:
    groups = list(components(hits))
    assert [hit for group in groups for hit in group] == hits
    assert all(max(hit.end for hit in one) <= other[0].begin for one, other in pairwise(groups))
    assert first_component(hits) == (groups[0] if groups else [])


def test_one_entity_becomes_one_and_is_called_what_the_surest_is_called() -> None:
    hits = [Hit(0, 3, "PERSON", "label", 0.95), Hit(0, 13, "PERSON", "tagger", 0.8)]
    assert settle(hits, TEXT) == [Hit(0, 13, "PERSON", "label", 0.95)]


def test_an_unsure_hit_stays_as_unsure_where_it_stands_alone() -> None:
    hits = [Hit(0, 3, "PERSON", "label", 0.95), Hit(0, 13, "PERSON", "tagger", 0.3)]
    assert settle(hits, TEXT) == [Hit(0, 3, "PERSON", "label", 0.95), Hit(4, 13, "PERSON", "tagger", 0.3)]


def test_a_city_in_the_name_of_a_hospital_is_the_hospital() -> None:
    hits = [Hit(27, 33, "LOCATION", "tagger", 0.9), Hit(27, 41, "ORGANIZATION", "roster", 0.8)]
    assert settle(hits, TEXT) == [Hit(27, 41, "ORGANIZATION", "tagger", 0.9)]


def test_the_surer_names_what_both_cover_and_the_rest_stays_from_letter_to_letter() -> None:
    hits = [Hit(7, 17, "PERSON", "tagger", 0.6), Hit(15, 25, "MRN", "number", 0.9)]
    assert settle(hits, TEXT) == [Hit(7, 13, "PERSON", "tagger", 0.6), Hit(15, 25, "MRN", "number", 0.9)]


def test_what_the_tagger_guesses_is_called_what_a_rule_calls_it() -> None:
    hits = [Hit(0, 13, "LOCATION", "tagger", 0.99), Hit(0, 13, "PERSON", "name-label", 0.95)]
    assert settle(hits, TEXT) == [Hit(0, 13, "PERSON", "tagger", 0.99)]


def test_a_rule_that_sees_a_part_of_a_name_does_not_rename_the_whole() -> None:
    hits = [Hit(27, 41, "ORGANIZATION", "tagger", 0.9), Hit(27, 33, "PERSON", "name-by", 0.8)]
    assert settle(hits, TEXT) == [Hit(27, 41, "ORGANIZATION", "tagger", 0.9)]


class Watched(Hit):
    """A hit that counts how often it was compared."""

    looks = 0

    def __lt__(self, other: object) -> bool:
        Watched.looks += 1
        return super().__lt__(other)  # type: ignore[operator]  # tuples both


def test_a_chain_through_a_whole_text_takes_time_in_proportion_to_it() -> None:
    def looks(size: int) -> int:
        text = "a" * (6 * size + 6)
        pairs = [
            (
                Watched(6 * at, 6 * at + 4, "DATE_TIME", "one", 0.9),
                Watched(6 * at + 3, 6 * at + 7, "PERSON", "tagger", 0.8),
            )
            for at in range(size)
        ]
        Watched.looks = 0
        assert len(settle([hit for pair in pairs for hit in pair], text)) == 2 * size
        return Watched.looks

    assert looks(800) < 8 * 3 * looks(100)  # in proportion, but for the sorting


def test_a_zip_code_in_an_address_that_the_tagger_found_is_a_zip_code() -> None:
    hits = [Hit(15, 24, "LOCATION", "tagger", 0.99), Hit(15, 17, "ZIP", "zip-state", 0.9)]
    assert settle(hits, TEXT) == [Hit(15, 17, "ZIP", "zip-state", 0.9), Hit(18, 24, "LOCATION", "tagger", 0.99)]

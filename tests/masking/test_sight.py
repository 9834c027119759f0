"""One exchange's texts as its masks let them be seen."""

import pytest

from phigate.dialect import openai
from phigate.masking import sight as module
from phigate.masking.detect import Piece
from phigate.masking.evidence import Hit
from phigate.masking.restore import StandIns
from phigate.masking.sight import Sight
from phigate.masking.structure.paths import Paths
from tests.masking.test_answer import DETECTORS, LEAN, SECRETS, SHOWN, Mask, Memory, Transform, Transformer
from tests.traffic import CANARY_NAME, CANARY_TEXT, leaks

NUMBER = "SSN 536-22-8145"


def masking(name):
    return Mask("m", {"OTHER": Transform(name)})


# what the caller's mask makes of a value -> whether the caller was shown it as it was
REVEALED = [
    ("nothing is hidden", None, "US_SSN", "536-22-8145", True),
    ("kept", masking("keep"), "US_SSN", "536-22-8145", True),
    ("redacted", masking("redact"), "US_SSN", "536-22-8145", False),
    ("its end stays", masking("keep-last"), "US_SSN", "536-22-8145", False),
    ("a stand-in", masking("surrogate"), "US_SSN", "536-22-8145", False),
    ("a year of a day", masking("year"), "DATE_TIME", "03/05/2024", False),
    ("a year that is one already", masking("year"), "DATE_TIME", "2024", True),
    ("a month that no shift moves", masking("shift"), "DATE_TIME", "in the spring", False),
    ("three digits of five", masking("zip3"), "ZIP", "02139", False),
    ("an age that is not capped", masking("cap-90"), "AGE", "45", True),
    ("an age that is", masking("cap-90"), "AGE", "95", False),
    ("the same in other letters", masking("generalise"), "ORGANIZATION", "A HOSPITAL", True),
    ("a kind of what it is", masking("generalise"), "ORGANIZATION", "Mercy Hospital", False),
    ("asterisks of nothing", masking("mask"), "PERSON", "--", True),
]


@pytest.mark.parametrize(
    ("sentence", "mask", "entity", "text", "revealed"), REVEALED, ids=[case[0] for case in REVEALED]
)
def test_what_the_caller_was_shown_as_it_was(sentence, mask, entity, text, revealed):
    caller = Transformer(mask, SECRETS, "ada") if mask else None
    seen = Sight(DETECTORS, SECRETS, caller, Transformer(SHOWN, SECRETS, "ada"), Memory())
    told, _ = seen.render([Piece(text, entity, "test", 1.0)])
    assert (len(seen.identifiers), len(seen.revealed)) == (1, int(revealed)), told


def test_what_only_bystanders_are_not_shown_is_revealed():
    unsure = Piece("Grace", "PERSON", "tagger", 0.45)
    caller = Transformer(Mask("m", {"OTHER": Transform("redact")}, bias="precision"), SECRETS, "ada")
    shown = Transformer(Mask("s", {"OTHER": Transform("redact")}, bias="recall"), SECRETS, "ada")
    seen = Sight(DETECTORS, SECRETS, caller, shown, Memory())
    assert seen.render([unsure]) == ("Grace", "[PERSON]")
    assert (len(seen.identifiers), len(seen.revealed)) == (1, 1)


@pytest.mark.parametrize("kept", [True, False])
def test_what_the_policys_fields_keep_is_revealed_whatever_the_mask(kept):
    paths = Paths([("$.a", "keep" if kept else "scan")])
    caller, shown = Transformer(SHOWN, SECRETS, "ada"), Transformer(SHOWN, SECRETS, "ada")
    seen = Sight(DETECTORS, SECRETS, caller, shown, Memory(), paths)
    told, recorded = seen.both({"a": NUMBER, "b": NUMBER.replace("8145", "8146")}, openai.ANSWER)
    assert (told["a"] == NUMBER) is kept
    assert "[US_SSN]" in recorded["a"]
    assert (len(seen.identifiers), len(seen.revealed)) == (2, int(kept))
    assert seen.found["US_SSN"] == 2


def test_a_value_that_is_kept_at_one_place_and_hidden_at_another_is_revealed():
    paths = Paths([("$.a", "keep")])
    caller, shown = Transformer(SHOWN, SECRETS, "ada"), Transformer(SHOWN, SECRETS, "ada")
    seen = Sight(DETECTORS, SECRETS, caller, shown, Memory(), paths)
    told, recorded = seen.both({"b": NUMBER, "a": NUMBER}, openai.ANSWER)
    assert (told, recorded) == ({"b": "SSN [US_SSN]", "a": NUMBER}, {"b": "SSN [US_SSN]", "a": "SSN [US_SSN]"})
    assert seen.revealed.keys() == seen.identifiers


def test_a_stand_in_that_is_put_back_is_revealed():
    stand_ins = StandIns()
    stand_ins.add("Q-2281-77", "536-22-8145", "US_SSN")
    masks = (Transformer(SHOWN, SECRETS, "ada"), Transformer(SHOWN, SECRETS, "ada"))
    seen = Sight(DETECTORS, SECRETS, *masks, Memory(), stand_ins=stand_ins)
    assert seen.text("It is Q-2281-77.") == ("It is 536-22-8145.", "It is [US_SSN].")
    assert seen.revealed.keys() == seen.identifiers
    assert len(seen.identifiers) == 1


def sight():
    caller, shown = Transformer(LEAN, SECRETS, "ada"), Transformer(SHOWN, SECRETS, "ada")
    return Sight(DETECTORS, SECRETS, caller, shown, Memory())


def test_a_text_that_came_in_pieces_is_told_again_as_it_went_out():
    seen, shown = sight(), []
    channel = seen.channel(shown)
    out = "".join(map(channel.feed, CANARY_TEXT)) + channel.close()
    assert leaks(out) == []
    assert seen.text(CANARY_TEXT) == (out, "".join(shown))


def test_a_name_learned_later_does_not_change_what_is_told_again():
    seen = sight()
    channel = seen.channel([])
    first = channel.feed("She saw Elowen. ") + channel.close()
    seen.names.learn([Hit(0, len(CANARY_NAME), "PERSON", "structure", 1.0)], CANARY_NAME)
    assert seen.text("She saw Elowen. ")[0] == first


def test_what_is_kept_of_earlier_texts_is_bounded(monkeypatch):
    monkeypatch.setattr(module, "MOST_KEPT", 1000)
    seen = sight()
    texts = [f"Note {number}: SSN 536-22-8145." for number in range(50)]
    assert [seen.for_caller(text) for text in texts] == [f"Note {number}: SSN [US_SSN]." for number in range(50)]
    assert len(seen._seen) + len(seen._plain) < 20

"""One exchange's texts as its masks let them be seen."""

from phigate.masking import sight as module
from phigate.masking.evidence import Hit
from phigate.masking.sight import Sight
from tests.masking.test_answer import DETECTORS, LEAN, SECRETS, SHOWN, Memory, Transformer
from tests.traffic import CANARY_NAME, CANARY_TEXT, leaks


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

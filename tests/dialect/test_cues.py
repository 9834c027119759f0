"""Transcripts in pieces: what nobody could find in one piece is found in all of them, and stands in one."""

import json

import orjson
import pytest

from phigate.dialect.codecs import JSON
from phigate.dialect.cues import SUBTITLES, TRANSCRIPT
from phigate.dialect.openai_audio import DIALECT
from tests.dialect.seen import NOTE, hidden, letters, sight, whole


def transcript(pieces, text="Stable.", **more):
    segments = [
        {
            "id": at,
            "seek": 30000,
            "start": at + 0.5,
            "end": at + 1.0,
            "text": piece,
            "tokens": [5, 6],
            "words": [{"word": piece}],
        }
        for at, piece in enumerate(pieces)
    ]
    return {"task": "transcribe", "language": "english", "duration": 12345.5, "text": text, "segments": segments} | more


def masked(tree):
    return whole(DIALECT, tree, codec=TRANSCRIPT)


def segments_of(made):
    return [each["text"] for each in made["segments"]]


HIDDEN = whole(DIALECT, {"text": NOTE})["text"]


@pytest.mark.parametrize("cut", range(1, len(NOTE)))
def test_what_begins_in_one_segment_and_ends_in_the_next_is_found_wherever_it_is_cut(cut):
    made = masked(transcript([NOTE[:cut], NOTE[cut:]], NOTE))
    assert hidden(made)
    assert "".join(segments_of(made)).replace(" ", "") == HIDDEN.replace(" ", "")
    assert made["text"] == HIDDEN


@pytest.mark.parametrize("size", [1, 2, 3, 7])
@pytest.mark.parametrize("text", [NOTE, "Stable."], ids=["they are in the text", "they are not"])
def test_pieces_of_any_size_tell_nobody(size, text):
    made = masked(transcript(letters(NOTE, size), text))
    assert hidden(made, "".join(segments_of(made)))
    assert "".join(segments_of(made)).replace(" ", "") == HIDDEN.replace(" ", "")


def test_words_are_read_in_the_text_that_they_are_from():
    bare = NOTE.replace(",", "").replace(":", "").replace(".", "").split()
    words = [{"word": word, "start": at / 10, "end": at / 10 + 0.1} for at, word in enumerate(bare)]
    made = masked({"text": NOTE, "words": words})
    told = [each["word"] for each in made["words"]]
    assert hidden(made, "".join(told))
    assert [each["start"] for each in made["words"]] == [each["start"] for each in words]
    assert told == [
        "Patient:",
        "[PERSON],",
        "",
        "MRN",
        "[MRN],",
        "SSN",
        "[US_SSN].",
        "Stable",
        "on",
        "furosemide",
        "40",
        "mg.",
    ]


def test_times_stay_and_what_tells_a_piece_again_is_left_out():
    made = masked(transcript([" Well.", " Stable."], " Well. Stable."))
    assert segments_of(made) == [" Well.", " Stable."]
    assert (made["segments"][1]["start"], made["segments"][1]["seek"], made["duration"]) == (1.5, 30000, 12345.5)
    assert not {"tokens", "words"} & made["segments"][0].keys()
    assert not [key for key in made if key.endswith("_said")]


def test_what_else_a_piece_says_is_numbers_and_words_of_the_protocol():
    words = [{"word": word, "punctuated": word, "confidence": 0.9, "type": "word"} for word in NOTE.split()]
    made = masked({"text": NOTE, "words": words})
    assert hidden(made)
    assert made["words"][0] == {"word": "Patient:", "confidence": 0.9, "type": "word"}


def test_who_speaks_is_told_by_a_letter_where_it_may_be_a_name():
    said = [("Zebulon Quartermaine", "A"), ("agent", "B"), ("Zebulon Quartermaine", "A"), ("SPEAKER_00", "SPEAKER_00")]
    segments = [{"text": "Well.", "speaker": who} for who, _ in said]
    assert [each["speaker"] for each in masked({"text": "", "segments": segments})["segments"]] == [
        to for _, to in said
    ]


def test_letters_do_not_run_out():
    segments = [{"text": "Well.", "speaker": f"speaker number {at}"} for at in range(28)]
    told = [each["speaker"] for each in masked({"text": "", "segments": segments})["segments"]]
    assert (told[0], told[25], told[26], told[27]) == ("A", "Z", "AA", "AB")


def test_pieces_that_stand_one_after_another_in_the_text_more_than_once_are_told_in_order():
    words = ["no", "no", "no"]
    assert segments_of(masked(transcript(words, "no, no, no!"))) == ["no,", "no,", "no!"]


def test_more_pieces_than_there_are_marks_come_back_in_their_places():
    texts = [f" word {letters('abcdefghij', 1)[at % 10]}" for at in range(200)]
    assert segments_of(masked(transcript(texts, "".join(texts)))) == texts


def test_marks_of_somebody_else_are_taken_out():
    made = masked(
        transcript(["\u200b\u200b\u200bPatient: Zebulon\u2060", " Quarter\ufeffmaine\u200b\u200b\u200c"], "\u200bx")
    )
    assert hidden("".join(segments_of(made)))
    assert "\u200b" not in "".join(segments_of(made))


@pytest.mark.parametrize(
    "tree",
    [
        {"text": "a", "segments": "b"},
        {"text": "a", "segments": ["b"]},
        {"text": "a", "segments": [{"id": 1}]},
        {"text": "a", "words": [{"word": ["b"]}]},
    ],
)
def test_pieces_that_are_no_text_are_not_read(tree):
    with pytest.raises(ValueError, match="pieces"):
        TRANSCRIPT.read(orjson.dumps(tree), {})


@pytest.mark.parametrize("tree", [{"text": "a"}, {"text": "a", "segments": []}, {"text": "a", "segments": None}, ["a"]])
def test_a_transcript_without_pieces_is_as_any_json(tree):
    assert TRANSCRIPT.read(orjson.dumps(tree), {}) == JSON.read(orjson.dumps(tree), {})
    assert TRANSCRIPT.write(tree) == JSON.write(tree)


def test_a_mark_that_nobody_set_is_not_written():
    with pytest.raises(ValueError, match="mark"):
        TRANSCRIPT.write({"segments": [{"text": ""}], "segments_said": "\u200b\u200b\u200ca"})


# -- subtitles ------------------------------------------------------------------------------------------------------


def srt(*pieces):
    return "".join(f"{at}\n00:00:0{at},000 --> 01:00:0{at},250\n{piece}\n\n" for at, piece in enumerate(pieces, 1))


def subtitles(text):
    return whole(DIALECT, text.encode(), codec=SUBTITLES)


BROKEN = ("Patient: Zebulon", "Quartermaine, MRN 77310042,\nSSN 536-22", "-8145. Stable on furosemide 40 mg.")


def test_subrip_is_masked_over_its_lines_and_keeps_its_times():
    made = subtitles(srt(*BROKEN))
    assert hidden(made)
    assert made.startswith("1\n00:00:01,000 --> 01:00:01,250\nPatient: [PERSON], MRN [MRN]")
    assert made.count(" --> ") == 3
    assert "furosemide 40 mg" in made


def test_webvtt_is_masked_over_its_lines_and_keeps_its_times():
    lines = "".join(f"00:0{at}.000 --> 00:0{at}.250 align:start\n{piece}\n\n" for at, piece in enumerate(BROKEN, 1))
    made = subtitles(f"WEBVTT\n\nNOTE {NOTE}\n\n{lines}")
    assert hidden(made)
    assert made.startswith("WEBVTT\n\n00:00:01.000 --> 00:00:01.250\nPatient: [PERSON], MRN [MRN]")
    assert "NOTE" not in made


def test_innocent_subtitles_stay_as_they_are():
    text = srt("The patient is well.", "Stable on 40 mg.")
    assert subtitles(text) == text


def test_text_without_times_is_text():
    assert subtitles(NOTE) == HIDDEN


BREAKS = [at for at in range(1, len(NOTE)) if {" ", "-"} & {NOTE[at - 1], NOTE[at]}]
"""Where subtitles are cut: between words, or at a dash."""


@pytest.mark.parametrize("at", BREAKS)
def test_a_text_that_is_cut_by_a_time_tells_nobody(at):
    assert hidden(subtitles(srt(NOTE[:at].strip(), NOTE[at:].strip())))


def test_what_is_no_text_is_not_read():
    with pytest.raises(ValueError, match="UTF-8"):
        SUBTITLES.read(b"\xff", {})


def test_what_bystanders_see_of_pieces_is_masked_as_well():
    tree = TRANSCRIPT.read(orjson.dumps(transcript(letters(NOTE), NOTE)), {})
    assert hidden(json.dumps(tree["segments"]))
    assert hidden(sight().both(tree, DIALECT.answer)[1])

"""What the OpenAI dialect says of speech to text: forms in, transcripts out, in each form that clients ask for."""

import json

import orjson
import pytest

from phigate.dialect import openai_audio
from phigate.dialect.channels import ChunkError
from phigate.masking.answer import MaskedStream
from tests.dialect.seen import NOTE, framed, hidden, letters, onward, prompting, sight, told, whole

DIALECT, STREAM = openai_audio.DIALECT, openai_audio.STREAM
HIDDEN = whole(DIALECT, {"text": NOTE})["text"]


def pieces(size=3):
    return [
        {"type": "transcript.text.delta", "delta": part, "logprobs": [{"token": part}]} for part in letters(NOTE, size)
    ]


DONE = {
    "type": "transcript.text.done",
    "text": NOTE,
    "logprobs": [{"token": "Zebulon", "bytes": [90]}],
    "usage": {"type": "tokens", "input_tokens": 9, "output_tokens": 12},
}


@pytest.mark.parametrize(("size", "step"), [(1, 0), (3, 1), (1000, 0)])
def test_a_streamed_transcript_says_what_the_whole_says(size, step):
    sent, shown = told(DIALECT, STREAM, framed(STREAM, [*pieces(size), DONE]), step=step)
    assert "".join(each["delta"] for each in sent if "delta" in each) == HIDDEN
    assert sent[-1]["text"] == HIDDEN
    assert hidden(sent, shown)
    assert shown.count("furosemide") == 1


def test_a_server_that_streams_a_transcript_as_a_chat_is_understood():
    chunks = [
        {"id": "t", "object": "transcription.chunk", "choices": [{"delta": {"content": part}}]}
        for part in letters(NOTE)
    ]
    data = b"".join(b"data: " + orjson.dumps(chunk) + b"\n\n" for chunk in chunks) + b"data: [DONE]\n\n"
    sent, _ = told(DIALECT, STREAM, data)
    assert "".join(choice["delta"]["content"] for each in sent for choice in each["choices"]) == HIDDEN


def test_the_counts_of_a_stream_are_read():
    masked = MaskedStream(sight(), DIALECT, STREAM)
    masked.feed(framed(STREAM, [DONE]))
    assert masked.usage == {"input": 9, "output": 12}


@pytest.mark.parametrize(
    "event",
    [
        {"type": "transcript.text.segment", "text": "Quartermaine", "speaker": "A"},
        {"type": "novel", "delta": "Quartermaine"},
        {"type": None, "delta": "Quartermaine"},
    ],
)
def test_what_no_table_knows_breaks_a_stream_off(event):
    with pytest.raises(ChunkError):
        told(DIALECT, STREAM, framed(STREAM, pieces())[:-14] + b"data: " + orjson.dumps(event) + b"\n\n")


def test_text_after_the_end_breaks_a_stream_off():
    with pytest.raises(ChunkError):
        told(DIALECT, STREAM, framed(STREAM, [*pieces(), DONE, *pieces()]))


def test_tokens_are_left_out_of_a_whole_answer():
    made = whole(DIALECT, {"text": NOTE, "logprobs": [{"token": "Zebulon", "bytes": [90]}], "novel": {"note": NOTE}})
    assert hidden(made)
    assert made["text"] == HIDDEN


FILE = {"filename": "recording.wav", "type": "audio/wav", "size": 77310042, "content": b"RIFF"}


def test_a_recording_is_never_readable():
    assert DIALECT.unreadable({"file": FILE})


def test_every_text_of_a_form_is_masked_where_the_model_is_not_told_and_the_recording_goes_on():
    made = onward(DIALECT, {"model": "m", "file": FILE, "prompt": NOTE, "keywords[]": [NOTE], "language": "en"})
    assert made["file"]["content"] == b"RIFF"
    assert hidden({key: value for key, value in made.items() if key != "file"})
    assert json.dumps(made["prompt"]).count("furosemide") == 1


def test_bystanders_see_a_recording_s_size_and_kind():
    asking = prompting()
    asking.study({"prompt": NOTE, "file": FILE}, DIALECT.shown)
    shown = asking.tree_for_bystanders({"prompt": NOTE, "file": FILE}, DIALECT.shown)
    assert (shown["file"]["size"], shown["file"]["type"]) == (77310042, "audio/wav")
    assert "content" not in shown["file"]
    assert hidden(shown["prompt"])
    assert orjson.dumps(shown)

"""The official OpenAI client and speech to text, where a rule lets recordings through; moderations beside it."""

import json

import openai
import pytest

from model_server import EVENTS, Answer
from people import policy_for
from phigate.dialect.openai_audio import FORM
from processes import Gateway
from tests.dialect.seen import NOTE, hidden, letters
from tests.traffic import records

pytestmark = pytest.mark.live

RECORDING = ("Zebulon Quartermaine 77310042.wav", b"RIFF\0\xff\r\n--WAVE", "audio/wav")
RULE = """
  - name: dictation
    permit: [clinician]
    to: [transcribe, predict]
    models: ["*"]
    purpose: treatment
    prompt: surrogates
    opaque: permit
    mask: safe-harbor
"""


@pytest.fixture(scope="module")
def gateway(_model, issuer, tmp_path_factory):
    policy = policy_for(issuer.url, tmp_path_factory.mktemp("policy"))
    text = policy.read_text()
    policy.write_text(text.replace("\nrules:\n", f"\nrules:{RULE}", 1))
    with Gateway(_model.url, policy, tmp_path_factory.mktemp("gateway")) as running:
        yield running


@pytest.fixture
def client(gateway, bearers):
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=bearers["dr.okafor"], max_retries=0) as made:
        yield made


def sent(model):
    """The form that reached the model server."""
    request = model.requests[-1]
    return FORM.read(request.body, {b"content-type": request.header("content-type").encode()}), request


def test_a_recording_goes_on_and_its_transcript_comes_back_masked(client, model):
    model.script = Answer.json({"text": NOTE, "logprobs": [{"token": "Zebulon"}]})
    made = client.audio.transcriptions.create(
        model="ward-assistant", file=RECORDING, prompt=NOTE, language="en", include=["logprobs"]
    )
    assert "furosemide 40 mg" in made.text
    form, request = sent(model)
    assert form["file"] == {"filename": "recording.wav", "type": "audio/wav", "size": 14, "content": RECORDING[1]}
    assert (form["model"], form["language"], sorted(form)) == (
        "ward-assistant",
        "en",
        ["file", "language", "model", "prompt"],
    )
    assert "furosemide 40 mg" in form["prompt"]
    assert hidden(made.model_dump_json(), request.raw.decode(errors="replace"))


def test_a_recording_is_recorded_by_its_size_and_kind(client, model, gateway):
    model.script = Answer.json({"text": NOTE})
    client.audio.transcriptions.create(model="ward-assistant", file=RECORDING)
    asked, answered = records(gateway.journal)[-2:]
    assert asked["body"]["file"]["size"] == 14
    assert asked["body"]["file"]["type"] == "audio/wav"
    assert "content" not in asked["body"]["file"]
    assert "furosemide 40 mg" in answered["body"]["text"]
    assert hidden(json.dumps([asked, answered]))


def test_segments_and_words_are_masked_together(client, model):
    segments = [{"id": at, "start": float(at), "text": text} for at, text in enumerate(letters(NOTE, 5))]
    words = [{"word": word, "start": 0.0, "end": 0.1} for word in NOTE.split()]
    model.script = Answer.json({"text": NOTE, "language": "en", "duration": 9.5, "segments": segments, "words": words})
    made = client.audio.transcriptions.create(
        model="ward-assistant",
        file=RECORDING,
        response_format="verbose_json",
        timestamp_granularities=["word", "segment"],
    )
    assert hidden(made.model_dump_json(), "".join(each.text for each in made.segments))
    assert [each.start for each in made.segments] == [each["start"] for each in segments]
    assert len(made.words) == len(words)
    assert sent(model)[0]["timestamp_granularities[]"] == ["word", "segment"]


@pytest.mark.parametrize("media", ["text/plain; charset=utf-8", "application/x-subrip"])
def test_subtitles_are_masked(client, model, media):
    first, second = (
        "00:00:00,000 --> 00:00:01,500\nPatient: Zebulon",
        "00:00:01,500 --> 00:00:02,000\nQuartermaine. Stable.",
    )
    lines = f"1\n{first}\n\n2\n{second}\n"
    model.script = Answer(lines.encode(), headers={"content-type": media})
    made = client.audio.transcriptions.create(model="ward-assistant", file=RECORDING, response_format="srt")
    assert hidden(made)
    assert "00:00:01,500 --> 00:00:02,000" in made
    assert "Stable." in made


def test_a_translation_is_masked(client, model):
    model.script = Answer.json({"text": NOTE})
    with pytest.warns(DeprecationWarning, match="deprecated"):  # the client's own
        made = client.audio.translations.create(model="ward-assistant", file=RECORDING)
    assert "furosemide 40 mg" in made.text
    assert hidden(made.text)


def test_a_streamed_transcript_is_masked(client, model):
    events = [{"type": "transcript.text.delta", "delta": part} for part in letters(NOTE)]
    lines = [
        b"data: " + json.dumps(each).encode() + b"\n\n"
        for each in [*events, {"type": "transcript.text.done", "text": NOTE}]
    ]
    model.script = Answer(lines, headers=EVENTS)
    made = list(client.audio.transcriptions.create(model="ward-assistant", file=RECORDING, stream=True))
    assert sent(model)[0]["stream"] is True
    assert made[-1].type == "transcript.text.done"
    assert "".join(each.delta for each in made[:-1]) == made[-1].text
    assert "furosemide 40 mg" in made[-1].text
    assert hidden(made[-1].text)


def test_an_error_of_the_server_is_the_client_s_and_masked(client, model):
    model.script = Answer.json({"error": {"message": f"cannot hear: {NOTE}"}}, status=400)
    with pytest.raises(openai.BadRequestError) as refused:
        client.audio.transcriptions.create(model="ward-assistant", file=RECORDING)
    assert "cannot hear" in str(refused.value)
    assert hidden(str(refused.value))


def test_a_form_that_could_be_read_in_two_ways_is_refused(client, model):
    with pytest.raises(openai.BadRequestError) as refused:
        client.audio.transcriptions.create(model="ward-assistant", file=RECORDING, extra_body={"file": "x"})
    assert refused.value.code == "malformed"
    assert model.connections == 0


def test_moderations_are_masked(client, model):
    result = {"flagged": False, "categories": {"violence": False}, "category_scores": {"violence": 0.1}, "input": NOTE}
    model.script = Answer.json({"id": "modr-1", "model": "ward-assistant", "results": [result]})
    made = client.moderations.create(model="ward-assistant", input=["How is the patient?"])
    assert made.results[0].flagged is False
    assert hidden(made.model_dump_json())

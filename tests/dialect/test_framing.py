"""Each form of a stream is read as it is written."""

import pytest

from phigate.dialect.framing import FRAMINGS, content_type


@pytest.mark.parametrize("media", FRAMINGS)
def test_what_is_written_is_read(media):
    framing = FRAMINGS[media]
    reader = framing.reader()
    written = (framing.write(b'{"text":"a"}', "", ""), framing.write(b'{"text":"b"}', "", ""))
    events = [event for each in written for event in reader.feed(each)] + reader.close()
    assert [event.data for event in events] == ['{"text":"a"}', '{"text":"b"}']


def test_text_says_its_charset():
    assert [content_type(media) for media in ("text/plain", "text/event-stream")] == [
        "text/plain; charset=utf-8",
        "text/event-stream",
    ]

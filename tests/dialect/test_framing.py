"""Each form of a stream is read as it is written."""

import pytest

from phigate.dialect.framing import FRAMINGS


@pytest.mark.parametrize("media", FRAMINGS)
def test_what_is_written_is_read(media):
    framing = FRAMINGS[media]
    reader = framing.reader()
    events = reader.feed(framing.write(b'{"a":1}', "", "") + framing.write(b'{"b":2}', "", "")) + reader.close()
    assert [event.data for event in events] == ['{"a":1}', '{"b":2}']

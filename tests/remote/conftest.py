"""What the tests of commands that ask a gateway share."""

import pytest

from tests.remote.fake import FakeConsole


@pytest.fixture
def console():
    with FakeConsole().running() as fake:
        yield fake

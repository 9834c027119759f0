import pytest

from tests.console.page.stand import Stand


@pytest.fixture
async def stand(tmp_path):
    made = Stand(tmp_path)
    await made.house.agreement.look()
    yield made
    await made.close()

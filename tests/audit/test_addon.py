"""The house learns who decides recorded flows again; a live gateway's flows meet nothing of it."""

from phigate.audit.addon import Again
from phigate.audit.flows.rerun import Rerun
from phigate.house import House


def test_the_house_knows_who_decides_recorded_flows():
    house = House()
    made = Again(house)
    assert house.rerun is Rerun
    assert [name for name in dir(made) if not name.startswith("_")] == []

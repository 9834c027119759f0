"""Seconds as an operator writes them."""

import pytest

from phigate.host.times import TimeFault, seconds


@pytest.mark.parametrize(("text", "found"), [("0", 0.0), ("20", 20.0), ("0.5", 0.5), ("99999.999", 99999.999)])
def test_a_number_of_seconds_is_read(text, found):
    assert seconds("phi_leave_within", text) == found


@pytest.mark.parametrize(
    "text", ["", "-1", "+1", "1e3", "1s", "100000", ".5", "1.", "nan", "inf", " 1", "1\n", "\u0661"]
)
def test_what_is_none_is_told_with_the_options_name(text):
    with pytest.raises(TimeFault, match="option `phi_leave_within`: must be seconds, from 0 to 99999"):
        seconds("phi_leave_within", text)


def test_what_is_too_little_is_told_with_the_least():
    assert seconds("phi_model_connect", "0.5", 0.5) == 0.5
    with pytest.raises(TimeFault, match=r"must be seconds, from 0\.5 to 99999"):
        seconds("phi_model_connect", "0.4", 0.5)

"""When what was not taken is sent again."""

from itertools import count

from phigate.telling.pace import ANSWERS, DELAYS, GIVE_UP, MOST_ASKED, again


def test_each_time_later_and_in_three_days_no_more():
    now, tried = 0.0, []
    for tries in count(1):
        tried.append(now)
        due = again(0.0, tries, now, 0.0)
        if due is None:
            break
        assert due - now == DELAYS[tries - 1]
        now = due
    assert len(tried) == len(DELAYS) + 1
    assert 2 * 86_400 < tried[-1] < GIVE_UP


def test_chance_spreads_them_and_never_brings_them_forward():
    assert [again(0.0, 1, 10.0, chance) for chance in (0.0, 0.5, 1.0)] == [15.0, 15.25, 15.5]


def test_a_receiver_is_left_alone_as_it_asks_but_not_for_good():
    assert again(0.0, 1, 10.0, 0.0, asked=120.0) == 130.0
    assert again(0.0, 1, 10.0, 0.0, asked=1e6) == 10.0 + MOST_ASKED


def test_what_would_come_after_three_days_does_not():
    assert again(0.0, 2, GIVE_UP - 1, 0.0) is None


def test_what_is_said_back_in_slack_is_of_no_use_after_half_an_hour():
    assert again(0.0, 1, 1000.0, 0.0, within=ANSWERS) == 1005.0
    assert again(0.0, 2, ANSWERS, 0.0, within=ANSWERS) is None

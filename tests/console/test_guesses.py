"""How often a code may be tried."""

from phigate.console.guesses import ALL, EACH, WHILE, Guesses


def test_a_ticket_s_code_is_tried_a_few_times_in_a_while():
    guesses = Guesses()
    assert [guesses.take("t-1", 100.0 + each) for each in range(EACH + 2)] == [True] * EACH + [False] * 2
    assert guesses.take("t-2", 110.0)
    assert not guesses.take("t-1", 100.0 + WHILE - 0.1)
    assert guesses.take("t-1", 100.0 + WHILE)


def test_all_tickets_together_are_tried_some_dozen_times():
    guesses = Guesses()
    tried = [guesses.take(f"t-{each}", 100.0) for each in range(ALL + 5)]
    assert tried == [True] * ALL + [False] * 5
    assert len(guesses._tried) == ALL
    assert guesses.take("t-1", 100.0 + WHILE)


def test_whoever_was_right_did_not_guess():
    guesses = Guesses()
    for _ in range(3 * EACH):
        assert guesses.take("t-1", 100.0)
        guesses.give_back("t-1")
    guesses.give_back("t-1")
    guesses.give_back("t-9")
    assert guesses.take("t-1", 100.0)


def test_a_clock_that_is_set_back_locks_nobody_out():
    guesses = Guesses()
    assert [guesses.take("t-1", 1e9) for _ in range(EACH)] == [True] * EACH
    assert guesses.take("t-1", 100.0)

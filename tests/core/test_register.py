"""What a register's readings book, where one had to wait for the next to be believed."""

from __future__ import annotations

from edge_agent.core.counters import Counter
from edge_agent.core.register import Booked, Register

S = 1_000_000_000


def test_pieces_that_a_reading_showed_while_it_waited_are_booked_with_it() -> None:
    """A clock that was set back while the agent was away: seconds of pieces seem to come at once."""
    register = Register(Counter(32, 10))
    assert register.take(0, 100) == []
    assert register.take(S, 105) == [Booked(S, 5, None)]
    assert register.take(S + S // 10, 175) == [], "70 in a tenth of a second: it waits"
    assert register.take(9 * S, 180) == [Booked(S + S // 10, 70, None, again=True), Booked(9 * S, 5, None)]
    assert register.take(10 * S, 181) == [Booked(10 * S, 1, None)]


def test_a_late_reading_between_one_that_waits_and_the_next_books_as_if_it_had_come_in_time() -> None:
    readings = [(0, 100), (10, 105), (11, 175), (90, 177), (95, 180), (100, 181)]
    for late in range(1, len(readings) - 1):
        register = Register(Counter(32, 1))
        booked: dict[int, int] = {}
        for time, raw in [*(one for one in readings if one != readings[late]), readings[late]]:
            for one in register.take(time * S, raw):
                booked[one.time] = one.increment
        straight = Register(Counter(32, 1))
        expected: dict[int, int] = {}
        for time, raw in readings:
            for one in straight.take(time * S, raw):
                expected[one.time] = one.increment
        assert {t: n for t, n in booked.items() if n} == {t: n for t, n in expected.items() if n}
        assert sum(expected.values()) == 81


def test_a_waiting_reading_that_was_wrong_books_nothing() -> None:
    register = Register(Counter(32, 10))
    for time, raw in ((0, 100), (1, 900)):
        register.take(time * S, raw)
    assert register.take(2 * S, 110) == [Booked(2 * S, 10, None)]

"""The agent's clock follows the system's and never runs backwards."""

from __future__ import annotations

from itertools import pairwise

from edge_agent.clock import SteadyClock

S = 1_000_000_000


class Clocks:
    """The system's clock and the ticks, under the test's hand."""

    def __init__(self) -> None:
        self.wall, self.ticks = 1000 * S, 0
        self.steady = SteadyClock(lambda: self.wall, lambda: self.ticks)

    def run(self, seconds: float) -> int:
        self.wall += round(seconds * S)
        self.ticks += round(seconds * S)
        return self.steady()


def test_it_follows_the_system_and_its_steps_forward() -> None:
    clocks = Clocks()
    assert clocks.run(5) == 1005 * S
    clocks.wall += 3600 * S
    assert clocks.run(1) == 4606 * S
    assert clocks.steady.lead_ns == 0


def test_a_step_back_slows_it_down_until_the_system_has_caught_up() -> None:
    clocks = Clocks()
    clocks.run(10)
    clocks.wall -= S // 2
    told = [clocks.run(1) for _ in range(600)]
    assert all(S * 999 // 1000 <= after - before <= S for before, after in pairwise(told))
    assert told[0] == 1010 * S + S * 999 // 1000
    assert told[-1] == clocks.wall
    assert clocks.steady.lead_ns == 0


def test_it_goes_on_from_what_has_been_written() -> None:
    clocks = Clocks()
    clocks.steady.not_before(2000 * S)
    assert clocks.run(0) == 2000 * S
    assert clocks.run(1000) == 2999 * S
    assert clocks.steady.lead_ns == 999 * S
    clocks.wall = 5000 * S
    assert clocks.steady() == 5000 * S

"""What a device can take, found by experiment: the largest block, pauses, answer time, connections, requests at once.

First the pauses, for a device that is asked too soon fails everything else; from then on they are kept.
Only reads are sent, of one place that can be read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from edge_agent.api import Inquiry, Measured, Refused
from edge_agent_modbus.commission.asker import Enough, told
from edge_agent_modbus.commission.asking import target_of
from edge_agent_modbus.commission.block_limit import block_limit
from edge_agent_modbus.commission.experiment import Experiment
from edge_agent_modbus.commission.probe import Place, places_of
from edge_agent_modbus.line import Carrier, Framing

OPTIONS: Final = ("reads", "every")
_READS: Final = 20
_READS_MOST: Final = 1_000
# Quiet time that no device should need more than; what it is asked with before its own need is known, s.
_CAREFUL_S: Final = 0.25
_PAUSES_S: Final = (0, 0.001, 0.002, 0.005, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5)
_AFTER_CONNECT_S: Final = (0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 3.0)
_CONNECTS: Final = 3
_CONNECTIONS: Final = 4
_IN_FLIGHT: Final = 4
# A timeout: so many times what the slowest of the answers took, and not less than this; s.
_SAFETY: Final = 4
_TIMEOUTS_S: Final = (0.3, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 30.0)


async def limits(url: str, addresses: Sequence[str], inquiry: Inquiry) -> list[Measured]:
    """See `Tools.limits`. One address; what can be read from it on is what is measured with."""
    inquiry.check(OPTIONS, "a Modbus device")
    target = target_of(url, inquiry.keys)
    reads = inquiry.whole("reads", _READS, _READS_MOST)
    every_s = inquiry.seconds("every", 0.0)
    if len(addresses) != 1:
        raise ValueError("limits are measured at one address; name one from which on many can be read")
    place, *more = places_of(addresses[0], target.base)
    if more:
        raise ValueError(f"{addresses[0]!r} is a range; name its first address, the end is found out")
    study = _Study(Experiment(target, inquiry.enough, place), inquiry, place, reads, every_s)
    try:
        await study.run()
    except Enough:
        inquiry.tell("ended before everything was measured")
    finally:
        await study.device.close()
    return study.found


class _Study:
    """The experiments, one after the other; `found` is right at any time."""

    def __init__(self, device: Experiment, inquiry: Inquiry, place: Place, reads: int, every_s: float) -> None:
        self.device = device
        self.found: list[Measured] = []
        self._tell = inquiry.tell
        self._place = place
        self._reads = reads
        self._every_s = every_s
        self._largest = 1

    async def run(self) -> None:
        """All of them."""
        device = self.device
        await self._first_answer()
        await self._pause_between()
        if device.endpoint.carrier in (Carrier.TCP, Carrier.TLS):
            await self._pause_after_connect()
        await self._block()
        await self._answer_time()
        if device.endpoint.carrier in (Carrier.TCP, Carrier.TLS):
            await self._connections()
        if device.endpoint.framing is Framing.MBAP:
            await self._in_flight()

    def _note(self, key: str, value: str, why: str) -> None:
        self.found.append(Measured(key, value, why))
        self._tell(f"{key}: {value or 'not known'} ({why})")

    async def _first_answer(self) -> None:
        """Asked with all care: the place must be readable, or nothing can be measured. Refused."""
        device = self.device
        device.pause_s, device.after_connect_s = _CAREFUL_S, _CAREFUL_S
        for count in (1, 2):        # some devices do not give half of a value
            answer = await device.ask(count, tries=3)
            if isinstance(answer, bytes):
                device.least = count
                return
        raise Refused(f"{device.line}: {self._place.text} cannot be read, so nothing can be measured: {told(answer)}")

    async def _pause_between(self) -> None:
        device = self.device
        before_s: float | None = None
        for pause_s in _PAUSES_S:
            device.pause_s = pause_s
            if await device.answers_in_a_row(self._reads):
                told_before = "" if before_s is None else f", not all with {_time(before_s)}"
                with_s = "without any pause" if not pause_s else f"with {_time(pause_s)} between"
                seen = f"{self._reads} requests in a row were answered {with_s}{told_before}"
                device.pause_s = self._safe("pause_between_requests", pause_s, _PAUSES_S, seen)
                return
            before_s = pause_s
            await device.rest()
        self._note("pause_between_requests", "", f"not even {_time(_PAUSES_S[-1])} makes it answer every request")

    async def _pause_after_connect(self) -> None:
        device = self.device
        before_s: float | None = None
        for pause_s in _AFTER_CONNECT_S:
            device.after_connect_s = pause_s
            if await device.answers_after_connecting(_CONNECTS):
                told_before = "" if before_s is None else f", not with {_time(before_s)}"
                at = "at once" if not pause_s else f"after {_time(pause_s)}"
                seen = f"{_CONNECTS} fresh connections were answered {at}{told_before}"
                device.after_connect_s = self._safe("pause_after_connect", pause_s, _AFTER_CONNECT_S, seen)
                return
            before_s = pause_s
        self._note("pause_after_connect", "", f"not even {_time(_AFTER_CONNECT_S[-1])} makes it answer at first")

    def _safe(self, key: str, pause_s: float, tried_s: Sequence[float], seen: str) -> float:
        """Note a pause with something to spare: what has just sufficed a few times will not do for years."""
        if not pause_s:
            self._note(key, _time(0), seen)
            return 0.0
        safe_s = next((longer for longer in tried_s if longer > pause_s), 2 * pause_s)
        self._note(key, _time(safe_s), f"{seen}; a step more to be safe")
        return safe_s

    async def _block(self) -> None:
        key = "max_bits" if self._place.area.is_bits else "max_registers"
        self._largest, is_limit, why = await block_limit(self.device)
        self._note(key, str(self._largest) if is_limit else "", why)

    async def _answer_time(self) -> None:
        times = sorted(await self.device.times(self._reads, self._every_s, self._largest))
        if not times:
            self._note("timeout", "", "no request was answered")
            return
        median, slow = times[len(times) // 2], times[min(len(times) - 1, int(0.99 * len(times)))]
        wanted = next((t for t in _TIMEOUTS_S if t >= _SAFETY * times[-1]), _TIMEOUTS_S[-1])
        self._note(
            "timeout", _time(wanted),
            f"{len(times)} answers with {self._largest} {self.device.what} took {_ms(median)} (median), "
            f"{_ms(slow)} (99 %), {_ms(times[-1])} at most",
        )  # fmt: skip

    async def _connections(self) -> None:
        count = await self.device.connections(_CONNECTIONS)
        most = ", more were not tried" if count == _CONNECTIONS else f", a {_nth(count + 1)} is not served"
        self._note("connections", str(count), f"{count} at once {'were' if count > 1 else 'was'} answered{most}")

    async def _in_flight(self) -> None:
        if self.device.pause_s:
            self._note("in_flight", "1", "the device needs a pause, so it takes one request at a time")
        elif await self.device.answers_at_once(_IN_FLIGHT):
            self._note("in_flight", str(_IN_FLIGHT), f"{_IN_FLIGHT} requests at once were all answered; not more tried")
        elif await self.device.answers_at_once(2):
            self._note("in_flight", "2", f"2 requests at once were answered, {_IN_FLIGHT} were not")
        else:
            self._note("in_flight", "1", "of 2 requests at once not both were answered")


def _time(seconds: float) -> str:
    return f"{seconds:g}s" if seconds >= 1 or not seconds else f"{seconds * 1_000:g}ms"


def _ms(seconds: float) -> str:
    return f"{seconds * 1_000:.3g} ms"


def _nth(number: int) -> str:
    return {1: "first", 2: "second", 3: "third"}.get(number, f"{number}th")

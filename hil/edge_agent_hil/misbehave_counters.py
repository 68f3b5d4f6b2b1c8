"""What a misbehaving server has seen on the wire: who asked what, how often, with what pauses."""

from __future__ import annotations

from collections import Counter, deque

from edge_agent_hil.modbus_bank import reach
from edge_agent_hil.modbus_frame import Request

KEPT = 1000                     # of each list: enough for any test, and no more memory with time


class Counters:
    """Counts since the start or the last reset. Times are given in s and shown in ms."""

    def __init__(self) -> None:
        self.connections = 0
        """open now"""
        self.reset()

    def reset(self) -> None:
        """Forget everything but the connections that are open."""
        self._requests, self._functions = Counter[int](), Counter[int]()
        self._answers = self._silences = self._accepted = self._turned_away = 0
        self._most = self.connections
        self._in_flight = self._most_in_flight = 0
        self._last_request: float | None = None
        self._last_answer: float | None = None
        self._gaps, self._pauses, self._after_connect = (deque[float](maxlen=KEPT) for _ in range(3))
        self._recent: deque[dict[str, float]] = deque(maxlen=KEPT)

    def connected(self) -> None:
        """A connection was accepted."""
        self.connections += 1
        self._accepted += 1
        self._most = max(self._most, self.connections)

    def disconnected(self) -> None:
        """An accepted connection has ended."""
        self.connections -= 1

    def turned_away(self) -> None:
        """A connection was closed, or left unanswered, because there was one already."""
        self._turned_away += 1

    def request(self, request: Request, now: float, connected: float | None) -> None:
        """A request is here; `connected`: since when its connection is open if it is the first one on it."""
        self._requests[request.unit] += 1
        self._functions[request.function] += 1
        if self._last_request is not None:
            self._gaps.append(now - self._last_request)
        if self._last_answer is not None:
            self._pauses.append(now - self._last_answer)
            self._last_answer = None
        if connected is not None:
            self._after_connect.append(now - connected)
        self._last_request = now
        self._in_flight += 1
        self._most_in_flight = max(self._most_in_flight, self._in_flight)
        first, count = reach(request.pdu) or (0, 0)
        said = {"t_ms": _ms(now), "unit": request.unit, "fc": request.function, "address": first, "count": count}
        self._recent.append(said)

    def settled(self, now: float, answered: bool) -> None:
        """A request has got all the answer it will get, or it will get none."""
        self._in_flight = max(0, self._in_flight - 1)
        if answered:
            self._answers += 1
            self._last_answer = now
        else:
            self._silences += 1

    def to_json(self) -> dict[str, object]:
        """Everything, as the control port shows it."""
        return {
            "requests": {str(unit): count for unit, count in self._requests.items()},
            "functions": {str(function): count for function, count in self._functions.items()},
            "answers": self._answers,
            "silences": self._silences,
            "connections": {
                "now": self.connections,
                "most": self._most,
                "accepted": self._accepted,
                "turned_away": self._turned_away,
            },
            "most_in_flight": self._most_in_flight,
            "gaps_ms": [_ms(gap) for gap in self._gaps],
            "pauses_ms": [_ms(pause) for pause in self._pauses],
            "after_connect_ms": [_ms(pause) for pause in self._after_connect],
            "recent": list(self._recent),
        }


def _ms(seconds: float) -> float:
    return round(seconds * 1e3, 3)

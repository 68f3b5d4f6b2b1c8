"""What a destination will never get: kept with its cursor until a record of its own in lane `events` tells it.

Whatever a cursor loses is noted here and saved with its place, which is durable before any file is
removed. The next commit has a GAP record of it, whose number is saved with the note before it is written;
only when the record is durable is the note forgotten. So after a crash the newest number in the lane says whether
a gap was told: it is told at least once, and twice only if the place could not be saved. Losses for the same reason
that come before they could be told are told as one: at most one such record a reason and a cursor waits at a time.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from edge_agent.core.report import Gap
from edge_agent.journal.slots import Numbers

# The cap or the reserve; the age; destroyed by the medium, or gone from the folder; given up while the disk failed.
WHYS: Final = ("space", "age", "damage", "memory")


_TOLD: Final = 16


class Loss(NamedTuple):
    """`records` of them, between two sequence numbers and two instants (ns UTC; 0 if nobody knows)."""

    first: int
    last: int
    records: int
    start: int
    end: int

    def with_(self, other: Loss) -> Loss:
        """Both."""
        starts = [one.start for one in (self, other) if one.start]
        return Loss(
            min(self.first, other.first), max(self.last, other.last), self.records + other.records,
            min(starts, default=0), max(self.end, other.end),
        )  # fmt: skip


class Gaps:
    """Of one cursor."""

    def __init__(self) -> None:
        self._noted: dict[str, Loss] = {}
        self._told: dict[str, tuple[int, Loss]] = {}  # with the number of the record that tells it

    def note(self, why: str, loss: Loss) -> None:
        """It was lost."""
        noted = self._noted.get(why)
        self._noted[why] = loss if noted is None else noted.with_(loss)

    def due(self, destination: str, lane: str) -> list[Gap]:
        """What is to be told now: the caller appends a record of each and says so with `told`."""
        return [
            Gap(destination, lane, *loss, why) for why, loss in self._noted.items() if why not in self._told
        ]

    def told(self, why: str, seq: int) -> None:
        """Record `seq` tells it."""
        self._told[why] = (seq, self._noted.pop(why))

    def committed(self, seq: int) -> bool:
        """All records up to `seq` are durable; whether that changed anything."""
        done = [why for why, (told, _) in self._told.items() if told <= seq]
        for why in done:
            del self._told[why]
        return bool(done)

    def numbers(self) -> Numbers:
        """To be saved: how many, then of each its reason's place in `WHYS`, first, last, records, start, end; and if
        a record tells it, 16 more than the place, and behind the rest that record's number."""
        numbers = [len(self._noted) + len(self._told)]
        for why, loss in self._noted.items():
            numbers += [WHYS.index(why), *_saved(loss)]
        for why, (told, loss) in self._told.items():
            numbers += [WHYS.index(why) + _TOLD, *_saved(loss), told]
        return tuple(numbers)

    def restore(self, numbers: Numbers) -> None:
        """What `numbers` gave; nothing, if it is no such thing."""
        left = list(numbers[1:])
        for _ in range(numbers[0] if numbers else 0):
            (place, *loss), left = left[:6], left[6:]
            why = place % _TOLD
            if len(loss) < 5 or why >= len(WHYS):
                return
            if place >= _TOLD and left:
                self._told[WHYS[why]] = (left.pop(0), Loss(*loss))
            else:
                self.note(WHYS[why], Loss(*loss))

    def opened(self, newest: int) -> None:
        """The newest record of lane `events` has this number: those behind it were not written and are due again."""
        self.committed(newest)
        for why, (_, loss) in self._told.items():
            self.note(why, loss)
        self._told.clear()


def _saved(loss: Loss) -> Numbers:
    return tuple(max(number, 0) for number in loss)

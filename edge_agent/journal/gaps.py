"""What a destination will never get: kept with its cursor until a record of its own in lane `events` tells it.

Whatever a cursor loses is noted here and saved with its place, which is durable before any file is
removed. The next commit has a GAP record of it, whose number is saved with the note before it is written;
only when the destination is done with that record is the note forgotten. So after a crash the newest number in the lane
says whether a gap was written, and where the record itself goes before it was heard, evicted or destroyed, what it told
is noted anew. It is told at least once, and twice only if the place could not be saved or the word that it was heard
did not come in time. Losses for the same reason that come meanwhile are told as one: at most one such record a reason
and a cursor waits at a time, however long a destination is away.
"""

from __future__ import annotations

from collections.abc import Callable
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

    def heard(self, is_heard: Callable[[int], bool]) -> bool:
        """Forget what those records tell that `is_heard` is true of; whether there was any."""
        return bool(self._taken_back(is_heard))

    def unheard(self, is_gone: Callable[[int], bool]) -> bool:
        """Note again what those records were to tell that `is_gone` is true of; whether there was any."""
        gone = self._taken_back(is_gone)
        for why, loss in gone.items():
            self.note(why, loss)
        return bool(gone)

    def _taken_back(self, which: Callable[[int], bool]) -> dict[str, Loss]:
        taken = {why: loss for why, (seq, loss) in self._told.items() if which(seq)}
        for why in taken:
            del self._told[why]
        return taken

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


def _saved(loss: Loss) -> Numbers:
    return tuple(max(number, 0) for number in loss)

"""When a device could not be seen, whatever the agent does; and how soon it was seen again."""

from __future__ import annotations

from collections.abc import Iterator

from edge_agent_hil.runner.heard import Sample
from edge_agent_hil.runner.played import Fault, Played

Span = tuple[int, int]
FAR = 1 << 62
# With these the equipment goes on to answer, and to tell the truth.
HONEST = frozenset({"slow"})
# What a fault meets on the way is gone, too: a change that an OPC UA server had not published yet (200 ms here), what a
# killed agent had read and not yet committed (a flush of 200 ms and the write); and a busy computer is late with both.
ON_THE_WAY = 1_000_000_000
# Of these faults of the gateway its machines are seen all the same.
SEEING = frozenset({"disk-full", "cpu", "memory"})


def good_after(played: Played, device: str, moment: int) -> Sample | None:
    """The first good sample of a time after `moment` (ns UTC) that arrived after it."""
    found = (
        sample
        for (name, _), samples in played.heard.samples.items()
        if name == device
        for sample in samples
        if sample.quality == "good" and sample.t_ms * 1_000_000 >= moment and sample.arrived >= moment
    )
    return min(found, key=lambda sample: sample.arrived, default=None)


def blinds(played: Played, device: str) -> list[Span]:
    """Spans in which the agent cannot have seen a device as it was, ns UTC: from a fault to the first good sample of
    after it, and the fault itself where it makes the device show what is not so."""
    found = []
    for fault in played.concerning(device):
        if fault.is_north or (fault.is_gateway and fault.step.name in SEEING) or fault.step.name in HONEST:
            continue
        again = good_after(played, device, fault.end)
        found.append((fault.begin - ON_THE_WAY, again.arrived if again else FAR))
    return found


def overlaps(spans: list[Span], begin: int, end: int) -> bool:
    """Whether [begin, end] meets one of them."""
    return any(begin <= until and end >= start for start, until in spans)


def recoveries(played: Played, device: str) -> Iterator[tuple[Fault, int | None]]:
    """(fault, ns from its end until live again; None: never), but for those in which the next fault came first."""
    faults = sorted(played.concerning(device), key=lambda fault: fault.end)
    for place, fault in enumerate(faults):
        again = good_after(played, device, fault.end)
        until = again.arrived if again else FAR
        if any(other.begin < until and other.end > fault.end for other in faults[:place] + faults[place + 1 :]):
            continue
        yield fault, again.arrived - fault.end if again else None

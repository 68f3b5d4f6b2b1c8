"""Where destinations stand in a lane as it was found: inside its chain, and how much of it they had."""

from __future__ import annotations

from urllib.parse import unquote

from edge_agent.journal.disk import Disk
from edge_agent.journal.gaps import Loss
from edge_agent.journal.lane_recovery import FoundLane
from edge_agent.journal.place import Place, Stretch, unpacked
from edge_agent.journal.segment import Amount, Chain, Damage, Header, Tally, blocks
from edge_agent.journal.slots import Slots
from edge_agent.journal.takeover import CURSOR


def place_all(disk: Disk, lane: FoundLane) -> int:
    """Fill the lane's places; returns the furthest any of them claims to have come."""
    for name in disk.names(lane.folder):
        if name.endswith(CURSOR):
            slots = Slots(disk, lane.folder / name)
            numbers = slots.load()
            if numbers is None:
                lane.reports.append(f"{lane.name}/{name}: no intact slot; this destination gets everything again")
            elif slots.exists:
                slots.settle()
            lane.places[unquote(name.removesuffix(CURSOR))] = unpacked(slots, numbers)
    highest = max((place.highest for place in lane.places.values()), default=0)
    for place in lane.places.values():
        for seq in (number for one in place.stretches for number in (one.released, one.end) if number is not None):
            _mend_before(disk, lane, seq)
    for place in lane.places.values():
        put(disk, lane.chain, place)
    return highest


def _mend_before(disk: Disk, lane: FoundLane, seq: int) -> None:
    """Behind damage nobody can say how much a destination that stands at `seq` was done with."""
    segment = lane.chain.after(seq)
    if segment is None or seq < segment.first:
        return
    try:
        for raws, _ in blocks(disk, segment):
            if raws[-1][0] > seq:
                return
    except Damage:
        lane.mend(disk, segment)
    except OSError:
        pass    # whoever reads there has the patience that this may need


def put(disk: Disk, chain: Chain, place: Place) -> None:
    """Bring a place inside the chain, and find its stretches' places on the ruler."""
    if not chain.segments:
        place.stretches = place.stretches[-1:]
        return
    oldest, last = chain.segments[0].header, chain.segments[-1].last
    before = oldest.first - 1
    inside: list[Stretch] = []
    for released, end, *_ in place.stretches:
        _note_gone(place, oldest, released, end)
        if end is not None and min(end, last) <= before:
            continue
        released = min(max(released, before), last)
        if end is not None and released >= min(end, last):
            continue
        end = None if end is None else min(end, last)
        top = None if end is None else on_ruler(disk, chain, end)
        inside.append(Stretch(released, end, on_ruler(disk, chain, released), top))
    place.stretches = inside


def _note_gone(place: Place, oldest: Header, released: int, end: int | None) -> None:
    """Note what a stretch has lost before the oldest segment: nobody evicted that, or it would have been released."""
    said = oldest.before
    # One that says nothing of a segment before it is the first there ever was, or its header was destroyed.
    gone = said.last if said.first else oldest.first - 1
    last = min(gone, end or gone)
    if not 0 < released < last:
        return
    # At most: among these numbers are those of the other lane, and some that were never given out.
    most = last - released
    if said.first and released >= said.first - 1:
        most = min(most, said.records)
    place.lost += most
    place.gaps.note("damage", Loss(released + 1, last, most, 0, 0))


def on_ruler(disk: Disk, chain: Chain, seq: int) -> Amount:
    """How much lies in the chain up to and including `seq`; where damage hides some, what is there for certain."""
    segment = chain.after(seq)
    if segment is None:
        return chain.total
    begins = chain.until(segment)
    if seq < segment.first:
        return begins
    tally = Tally()
    try:
        for raws, _ in blocks(disk, segment):
            tally.add([raw for raw in raws if raw[0] <= seq])
            if raws[-1][0] > seq:
                break
    except (Damage, OSError):
        pass    # the medium is going; whoever reads there takes what is gone for lost out of the backlog
    return begins.plus(Amount(tally.records, tally.bytes))

"""What a site costs when every tag changes each time it is read: points, memory, network, flash. Part of `plan`.

Nothing is guessed that can be tried: samples of the tags' own kinds, for as long as a commit of the journal takes in,
are packed as the journal does it and encoded as each destination's profile does it, and the bytes are counted.
Numbers that change more calmly take less; alarms, states and KPI records, a few a minute, are not in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from edge_agent.api import Profile
from edge_agent.config import Site
from edge_agent.core.batch import Batch, Floats, Int64s, good
from edge_agent.core.quantity import format_bytes
from edge_agent.core.report import Samples
from edge_agent.core.tags import Kind, Tag, TagTable
from edge_agent.encode import columns
from edge_agent.journal import HEAD_SIZE, LANES, SYNC_PLACES_S, bytes_a_day

SECOND: Final = 1_000_000_000
DAY_S: Final = 86_400
# So many samples tell how large samples are.
TRIED: Final = 20_000
YEAR_DAYS: Final = 365.25


@dataclass(frozen=True, slots=True)
class Flow:
    """What one device gives, at most: samples and records a second, bytes a second by where they go."""

    samples: float
    records: float
    journal: float
    north: dict[str, float]


def lines(
    site: Site, table: TagTable, ring_bytes: int, profiles: dict[str, Profile], endurance: int
) -> Iterator[str]:
    """For people. `endurance`: bytes that may be written to the card before it is worn out."""
    flows = [flow(site, table.device_tags(name), profiles) for name in site.devices if table.device_tags(name)]
    if not flows:
        return
    yield "if every tag changes each time it is read:"
    yield f"  points      {sum(one.samples for one in flows):,.4g}/s"
    yield f"  ring        {format_bytes(ring_bytes)} of memory"
    for name in profiles:
        north = format_bytes(sum(one.north[name] for one in flows))
        yield f"  north       {north}/s to {name}, before TLS and compression"
    rate, flush_s = sum(one.journal for one in flows), site.journal.flush / SECOND
    a_day = rate * DAY_S
    full, oldest = site.journal.max_size / a_day, site.journal.max_age / SECOND / DAY_S
    kept = f"reaches max_size after {days(full)}" if full < oldest else "max_age comes before max_size"
    yield f"  journal     {format_bytes(a_day)} a day; {kept}"
    # With less than a record a commit, most commits have nothing to write.
    busy = min(1.0, sum(one.records for one in flows) * flush_s)
    cursors = len(LANES) * len(profiles)
    written = busy * bytes_a_day((rate / busy,), flush_s, cursors, SYNC_PLACES_S)
    pages = f"{format_bytes(written)} a day in pages of 4 kB"
    yield f"  flash       {pages}; a card that bears {format_bytes(endurance)} lasts {days(endurance / written)}"


def days(number: float) -> str:
    """`12 days`, `3.4 years`, `more than 100 years`."""
    years = number / YEAR_DAYS
    if years > 100:
        return "more than 100 years"
    return f"{years:.1f} years" if years >= 2 else f"{number:.0f} days"


def flow(site: Site, tags: Sequence[Tag], profiles: dict[str, Profile]) -> Flow:
    """What the device of `tags` gives when every tag changes each time it is read."""
    rate = sum(SECOND / tag.period_ns for tag in tags)
    # A commit's samples make one record; a device with fewer than one sample a commit makes a record of each.
    span_ns = min(max(site.journal.flush, min(tag.period_ns for tag in tags)), round(TRIED / rate * SECOND))
    batch = tried(tags, span_ns)
    records = SECOND / span_ns
    body = columns.pack(batch, tags[0].position, {})
    names, kinds = tuple(tag.name for tag in tags), tuple(tag.kind for tag in tags)
    texts = {place: {0: "A100"} for place, kind in enumerate(kinds) if kind is Kind.TEXT}
    local = Batch(batch.tag - np.int32(tags[0].position), batch.time, batch.value, batch.quality)
    samples = Samples(1, tags[0].device, names, kinds, local, texts)
    share = rate / len(batch)
    north = {
        name: share * sum(len(one.topic.encode()) + len(one.payload) for one in profile.samples(samples))
        for name, profile in profiles.items()
    }
    return Flow(rate, records, share * (len(body) + HEAD_SIZE), north)


def tried(tags: Sequence[Tag], span_ns: int) -> Batch:
    """Samples of `tags` over `span_ns`, each tag's at its own period: numbers that drift, bits that flip."""
    dice = np.random.default_rng(1)
    begin = 1_700_000_000 * SECOND
    parts = [_of(tag, begin + np.arange(0, max(span_ns, 1), tag.period_ns), dice) for tag in tags]
    tag = np.repeat(np.array([tag.position for tag in tags], np.int32), [len(time) for time, _ in parts])
    time, value = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.argsort(time, kind="stable")
    return Batch(tag[order], time[order], value[order], good(len(tag)))


def _of(tag: Tag, time: Int64s, dice: np.random.Generator) -> tuple[Int64s, Floats]:
    n = len(time)
    match tag.kind:
        case Kind.BOOL:
            return time, dice.integers(0, 2, n).astype(float)
        case Kind.TEXT:
            return time, np.zeros(n)
        case Kind.INT:
            return time, 1000 + np.cumsum(dice.integers(-3, 4, n)).astype(float)
        case _:
            # As a device's 32-bit number.
            return time, (20 + np.cumsum(dice.normal(0, 0.1, n))).astype(np.float32).astype(float)

"""What the API shows of tags: last values, found by search, why they are as they are, and how they were."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from typing import Any, Final, Literal

import numpy as np

from edge_agent.api import Clock, Driver, Tag, TagConfig
from edge_agent.config import Site
from edge_agent.core.engine import Engine
from edge_agent.core.quality import CLASS_NAMES, UNCERTAIN, class_name, reason_name
from edge_agent.core.quantity import SECOND
from edge_agent.core.ring import NEVER
from edge_agent.health import Health
from edge_agent.web import answers
from edge_agent.web.times import Times
from edge_agent.why import Facts, plain, run_of, why

# How a driver finds a tag: the keys of the contract, in the words of the site file.
_SOURCES: Final = ("address", "node", "signal")
# Names offered where one is not known, and names compared to find them: 3 ms.
_NEAR: Final = 5
_LIKENED: Final = 500
# What a sparkline shows: long enough for a slow temperature, short enough to see a piece.
SPARK_NS: Final = 600 * SECOND

QualityWanted = Literal["good", "uncertain", "bad"]


class TagsView:
    """Reads the ring and changes nothing."""

    def __init__(
        self, site: Site, engine: Engine, drivers: Mapping[str, Driver], health: Health, clock: Clock, times: Times,
        started_ns: int,
    ) -> None:  # fmt: skip
        self._site = site
        self._engine = engine
        self._drivers = drivers
        self._health = health
        self._clock = clock
        self._times = times
        self._started = started_ns
        self._names = {tag.position: tag.id.casefold() for tag in engine.table}
        self._all = np.fromiter(self._names, np.int64, len(self._names))

    def has_device(self, name: str) -> bool:
        """True for a device of the site file."""
        return name in self._site.devices

    async def tags(
        self, device: str | None, search: str, quality: Collection[QualityWanted], limit: int, offset: int, spark: int
    ) -> answers.TagPage:
        """`limit` of the matching tags from the `offset`th on; `spark`: points of the sparklines, 0: without any."""
        found = self._matching(device, search, quality)
        shown = []
        for position in found[offset : offset + limit].tolist():
            tag = self._engine.table[position]
            shown.append(answers.TagRow(**self._tag(tag), **(self._more(tag, spark) if spark else {})))
            if spark:
                await asyncio.sleep(0)      # each looks through memory: the readers come first
        return answers.TagPage(total=len(found), offset=offset, limit=limit, tags=shown)

    def _matching(self, device: str | None, search: str, quality: Collection[QualityWanted]) -> Any:
        """Positions, in the order of the site file; every word of `search` is somewhere in the name."""
        table = self._engine.table
        part = table.device_slice(device) if device is not None else slice(0, 0)
        found = self._all if device is None else np.arange(part.start, part.stop)
        if quality:
            classes = self._engine.ring.latest.quality[found] >> 6
            found = found[np.isin(classes, [CLASS_NAMES.index(one) for one in quality])]
        words = search.casefold().split()
        if words:
            matches = [at for at in found.tolist() if all(word in self._names[at] for word in words)]
            found = np.array(matches, np.int64)
        return found

    def _more(self, tag: Tag, points: int) -> dict[str, Any]:
        not_good = self._engine.ring.latest.quality[tag.position] >= UNCERTAIN
        return {"spark": self._spark(tag, points), "why": why(self._facts(tag)) if not_good else []}

    def _spark(self, tag: Tag, points: int) -> list[tuple[int, float | None]]:
        """The last good value of each of so many equal parts of the last ten minutes; null where there is none."""
        end = self._clock()
        time, value, quality = self._engine.ring.window(tag.position, end - SPARK_NS, end + 1)
        good = (quality < UNCERTAIN) & np.isfinite(value)
        time, value = time[good], value[good]
        edges = end - SPARK_NS + np.arange(1, points + 1) * (SPARK_NS // points)
        at = np.searchsorted(time, edges, side="right")
        before = np.concatenate(([0], at[:-1]))
        return [
            (int(edge) // 1_000_000, float(value[last - 1]) if last > first else None)
            for edge, first, last in zip(edges.tolist(), before.tolist(), at.tolist(), strict=True)
        ]

    def tag(self, name: str) -> answers.TagDetail | None:
        """One tag with the reasons behind it; None if there is none of this name."""
        tag = self.find(name)
        if tag is None:
            return None
        writing = self.config(tag).writing()
        limits = None
        if writing is not None:
            limits = answers.Limits(
                min=writing.min,
                max=writing.max,
                values=None if writing.values is None else list(writing.values),
                every_s=writing.every / SECOND,
                settle_s=writing.settle / SECOND,
            )
        return answers.TagDetail(
            **self._tag(tag),
            why=why(self._facts(tag)),
            writable=writing is not None and "api" in writing.through,
            limits=limits,
        )

    def find(self, name: str) -> Tag | None:
        """The tag `device.tag`; None if there is none."""
        try:
            return self._engine.table[self._engine.table.position(name)]
        except KeyError:
            return None

    def near(self, name: str) -> tuple[str, list[str]]:
        """What is wrong with a name that is no tag's, and which may have been meant."""
        if name in self._site.devices:
            tags = self._engine.table.device_tags(name)
            quality = self._engine.ring.latest.quality
            worst = sorted(tags, key=lambda tag: -int(quality[tag.position] >> 6))
            return f"{name} is a device, not a tag", [tag.id for tag in worst[:_NEAR]]
        return f"there is no tag {name}", self._nearest(name)

    def _nearest(self, name: str) -> list[str]:
        """Looked for within one device: likeness to each of ten thousand names would take too long."""
        device, _, rest = name.rpartition(".")
        devices = list(self._site.devices)
        if not device:
            same = [f"{one}.{rest}" for one in devices if rest in self._site.devices[one].tags]
            return same[:_NEAR]
        like = [device] if device in self._site.devices else get_close_matches(device, devices[:_LIKENED], 1)
        names = [tag.name for one in like for tag in self._engine.table.device_tags(one)][:_LIKENED]
        found = get_close_matches(rest, names, _NEAR) or names[:_NEAR]
        return [f"{one}.{tag}" for one in like for tag in found]

    def config(self, tag: Tag) -> TagConfig:
        """What the site file says of a tag."""
        return self._site.tag_config(tag.id)

    def values(self, names: list[str]) -> dict[str, answers.TagAnswer]:
        """The last values of these tags; names that are no tag's are left out."""
        found = {name: self.find(name) for name in names}
        return {name: answers.TagAnswer(**self._tag(tag)) for name, tag in found.items() if tag is not None}

    def _tag(self, tag: Tag) -> dict[str, Any]:
        latest = self._engine.ring.latest
        quality, time = int(latest.quality[tag.position]), int(latest.time[tag.position])
        known = int(self._engine.seen[tag.position])
        return {
            "tag": tag.id,
            "value": plain(tag, float(latest.value[tag.position])),
            "unit": tag.unit,
            "kind": tag.kind.name.lower(),
            "quality": class_name(quality),
            "reason": reason_name(quality) or None,
            "time": None if time == NEVER else self._times.iso(time),
            "age_s": None if time == NEVER else max(self._clock() - known, 0) / SECOND,
        }

    def _facts(self, tag: Tag) -> Facts:
        latest = self._engine.ring.latest
        quality, time = int(latest.quality[tag.position]), int(latest.time[tag.position])
        since, good_time, good_value = NEVER, NEVER, None
        if time != NEVER and quality >= UNCERTAIN:
            since, good_time, raw = run_of(self._engine.ring, tag.position)
            good_value = plain(tag, raw)
        return Facts(
            tag,
            self._times.zone,
            self._clock(),
            self._started,
            plain(tag, float(latest.value[tag.position])),
            quality,
            time,
            int(self._engine.seen[tag.position]),
            self._health.devices[tag.device],
            _source(self.config(tag)),
            since,
            good_time,
            good_value,
            tuple(self._drivers[tag.device].why(tag)),
        )


def _source(config: TagConfig) -> str:
    return next((str(said) for key in _SOURCES if (said := getattr(config, key, None)) is not None), "")

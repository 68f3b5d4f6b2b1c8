"""The tags of one device as metrics of a Sparkplug device: its birth, and its data, quickly.

Data are told apart from history sample by sample: what is older than the value the host holds (from the birth, or
from data since) must not become its current value.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge_agent.core.batch import Batch
from edge_agent.core.quality import BAD, GOOD, UNCERTAIN, Reason
from edge_agent.core.report import Samples
from edge_agent.core.tags import Kind, Tag
from edge_agent.core.writing import held
from edge_agent.encode.instants import apart
from edge_agent.encode.json_samples import is_whole, plain
from edge_agent.encode.sparkplug import metric as metrics
from edge_agent.encode.sparkplug.datatype import DataType, proper, to_wire
from edge_agent.encode.sparkplug.metric import Metric, Property
from edge_agent.encode.sparkplug.payload import MARK, STAMP, body_of
from edge_agent.encode.sparkplug.quality import QUALITIES
from edge_agent.encode.sparkplug.wire import Payload

TYPES: Final = {
    Kind.FLOAT: DataType.DOUBLE, Kind.INT: DataType.INT64, Kind.BOOL: DataType.BOOLEAN, Kind.TEXT: DataType.STRING,
}  # fmt: skip

_MS: Final = 1_000_000
_NEVER: Final = int(np.iinfo(np.int64).min)
_MASK: Final = (1 << 64) - 1
# Plain numbers: an enumeration's take as long to compare as the rest of a metric.
_DOUBLE: Final = int(DataType.DOUBLE)
_INT64: Final = int(DataType.INT64)
# Names of tags that are no more, each worth a line in the log: more than anybody looks at.
_VANISHED: Final = 200


class DeviceTags:
    """One device's tags; `first_alias` None: they have no aliases; `typed`: data say datatypes, too."""

    def __init__(self, tags: Sequence[Tag], first_alias: int | None = None, *, typed: bool = False) -> None:
        self.tags = tuple(tags)
        self.vanished = Counter[str]()
        """samples of tags that the site file no longer has, by name; whoever tells of them may clear it"""
        self._place = {tag.name: place for place, tag in enumerate(self.tags)}
        self._names = tuple(proper(tag.name) for tag in self.tags)
        self._first_alias = first_alias
        self._typed = typed
        self._wide = set[int]()     # whole numbers by their kind that have had a value which INT64 cannot hold
        self._types = self._types_now()
        self._newest = np.full(len(self.tags), _NEVER, np.int64)
        self._known: tuple[tuple[str, ...], NDArray[np.int32]] = ((), np.empty(0, np.int32))

    def tag(self, name: str) -> Tag | None:
        """The tag of that name."""
        place = self._place.get(name)
        return None if place is None else self.tags[place]

    def named(self, wire: Any) -> Tag | None:
        """The tag that a metric of the wire names, or gives the alias of."""
        if wire.name:
            return self.tag(wire.name)
        place = wire.alias - self._first_alias if wire.HasField("alias") and self._first_alias is not None else -1
        return self.tags[place] if 0 <= place < len(self.tags) else None

    def datatype(self, tag: Tag) -> DataType:
        """As the birth said it."""
        return DataType(self._types[self._place[tag.name]])

    def born_as(self, wire: Any) -> int:
        """The datatype of a metric of the wire, as the birth said it."""
        tag = self.named(wire)
        return DataType.UNKNOWN if tag is None else self.datatype(tag)

    @property
    def is_outdated(self) -> bool:
        """The kind of a tag has been learned since the birth, or how large its numbers are."""
        return self._types != self._types_now()

    def birth(self, latest: Batch | None, now_ms: int) -> bytes:
        """The body of DBIRTH. `latest`: the last sample of each of these tags, in their order."""
        if latest is None:
            self._newest.fill(_NEVER)
        else:
            self._newest[:] = latest.time
            wide = np.isfinite(latest.value) & ~is_whole(latest.value) & (latest.quality < BAD)
            self._wide.update(place for place in wide.nonzero()[0].tolist() if self.tags[place].kind is Kind.INT)
        self._types = self._types_now()
        return body_of((self._born(place, latest, now_ms) for place in range(len(self.tags))), birth=True)

    def now(self, tag: Tag, value: Any, time_ns: int) -> bytes:
        """The body of DDATA that says what one tag holds at this instant."""
        place = self._place[tag.name]
        self._newest[place] = max(self._newest[place], time_ns)
        if tag.kind is Kind.INT and isinstance(value, int | float):
            value = int(value) if is_whole(np.array([value], float))[0] else float(value)
        return self._encoded([place], [time_ns // _MS], [value], [GOOD], [False])

    def data(self, samples: Samples, largest: int) -> list[bytes]:
        """Bodies of DDATA of which whole payloads have at most `largest` bytes, also as history, unless a single
        sample is larger."""
        places = self._places(samples.names)
        samples = self._without_vanished(samples, places)
        if not len(samples.batch):
            return []
        batch, values, _ = plain(samples)
        place = places[batch.tag]
        historical = (batch.time < self._newest[place]) | samples.historical
        times = np.maximum(batch.time // _MS, 0)    # the wire has no time before 1970
        live = ~historical
        np.maximum.at(self._newest, place[live], batch.time[live])
        moved = apart(times, batch.tag, len(samples.names))
        columns: tuple[list[Any], ...] = (
            place.tolist(), (times if moved is None else moved).tolist(), values, batch.quality.tolist(),
            historical.tolist(),
        )  # fmt: skip
        if moved is not None:
            order = moved.argsort(kind="stable").tolist()
            columns = tuple([column[at] for at in order] for column in columns)
        return list(self._bodies(columns, slice(0, len(batch)), largest))

    def _places(self, names: tuple[str, ...]) -> NDArray[np.int32]:
        """Where tags of these names stand here; −1: nowhere."""
        if self._known[0] != names:
            self._known = names, np.array([self._place.get(name, -1) for name in names], np.int32)
        return self._known[1]

    def _without_vanished(self, samples: Samples, places: NDArray[np.int32]) -> Samples:
        if not len(places) or places.min() >= 0:
            return samples
        batch = samples.batch
        gone = places[batch.tag] < 0
        for tag, count in zip(*np.unique(batch.tag[gone], return_counts=True), strict=True):
            if len(self.vanished) < _VANISHED or samples.names[tag] in self.vanished:
                self.vanished[samples.names[tag]] += int(count)
        return replace(samples, batch=batch.where(~gone))

    def _bodies(self, columns: tuple[list[Any], ...], rows: slice, largest: int) -> Iterator[bytes]:
        body = self._encoded(*(column[rows] for column in columns))
        count = rows.stop - rows.start
        if len(body) + STAMP + count * MARK <= largest or count == 1:
            yield body
            return
        middle = rows.start + count // 2
        yield from self._bodies(columns, slice(rows.start, middle), largest)
        yield from self._bodies(columns, slice(middle, rows.stop), largest)

    def _encoded(
        self, places: list[int], times: list[int], values: list[Any], qualities: list[int], historical: list[bool]
    ) -> bytes:
        payload = Payload()
        add, names, first, types = payload.metrics.add, self._names, self._first_alias, self._types
        for place, time, value, quality, old in zip(places, times, values, qualities, historical, strict=True):
            said = add()
            if first is None:
                said.name = names[place]
            else:
                said.alias = first + place
            said.timestamp = time
            if self._typed:
                said.datatype = types[place]
            if old:
                said.is_historical = True
            if quality >= UNCERTAIN:
                _mark(said, QUALITIES[quality])
            kind = type(value)
            if kind is float and types[place] == _DOUBLE:
                said.double_value = value
            elif kind is int and types[place] == _INT64:
                said.long_value = value & _MASK
            elif value is None:
                said.is_null = True
                if quality < UNCERTAIN:
                    _mark(said, metrics.BAD)
            else:
                self._set(said, place, value, quality)
        encoded: bytes = payload.SerializeToString()
        return encoded

    def _set(self, said: Any, place: int, value: Any, quality: int) -> None:
        """A value of another kind than most. What INT64 cannot hold is told in its own type, and makes the next birth,
        a tick later, say that the tag is a double, unless it is bad anyway."""
        if setter := _SETTERS.get((self._types[place], type(value))):
            setter(said, value)
            return
        _in_its_own_type(said, value)
        if isinstance(value, float) and quality < BAD and self.tags[place].kind is Kind.INT:
            self._wide.add(place)

    def _types_now(self) -> list[int]:
        return [
            _DOUBLE if tag.kind is Kind.INT and place in self._wide else int(TYPES[tag.kind])
            for place, tag in enumerate(self.tags)
        ]

    def _born(self, place: int, latest: Batch | None, now_ms: int) -> Metric:
        tag, value, time, quality = self.tags[place], None, _NEVER, BAD | Reason.STALE
        if latest is not None and latest.time[place] != _NEVER:
            time, quality = int(latest.time[place]), int(latest.quality[place])
            value = held(tag, float(latest.value[place]), 0)
            if self._types[place] == _INT64 and not is_whole(latest.value[place : place + 1])[0]:
                value = None
        properties = dict(_static(tag))
        stands = QUALITIES[quality] if value is not None or quality >= UNCERTAIN else metrics.BAD
        if stands != metrics.GOOD:
            properties[metrics.QUALITY] = Property(DataType.INT32, stands)
        alias = None if self._first_alias is None else self._first_alias + place
        time_ms = now_ms - metrics.EARLIER_MS - tag.period_ns // _MS if time == _NEVER else time // _MS
        return Metric(tag.name, self._types[place], value, max(0, time_ms), properties, alias=alias)


def _static(tag: Tag) -> Iterator[tuple[str, Property]]:
    """Names as the most widespread host application reads them."""
    if tag.unit:
        yield "engUnit", Property(DataType.STRING, tag.unit)
    if np.isfinite(tag.low):
        yield "engLow", Property(DataType.DOUBLE, tag.low)
    if np.isfinite(tag.high):
        yield "engHigh", Property(DataType.DOUBLE, tag.high)


def _mark(said: Any, quality: int) -> None:
    said.properties.keys.append(metrics.QUALITY)
    value = said.properties.values.add()
    value.type, value.int_value = DataType.INT32, quality


def _bool(said: Any, value: Any) -> None:
    said.boolean_value = value


def _text(said: Any, value: Any) -> None:
    said.string_value = value


def _in_its_own_type(said: Any, value: Any) -> None:
    """The tag had another kind when it was sampled than it has now: the metric says its own type."""
    for kind, datatype, field in _OWN:
        if isinstance(value, kind):
            said.datatype = datatype
            setattr(said, field, to_wire(datatype, value))
            return


def _number(said: Any, value: Any) -> None:
    said.double_value = value


_SETTERS: Final[dict[tuple[int, type], Callable[[Any, Any], None]]] = {
    (DataType.BOOLEAN, bool): _bool,
    (DataType.STRING, str): _text,
    (DataType.DOUBLE, int): _number,
    (DataType.DOUBLE, bool): _number,
}
_OWN: Final = (
    (bool, DataType.BOOLEAN, "boolean_value"), (int, DataType.INT64, "long_value"),
    (float, DataType.DOUBLE, "double_value"), (str, DataType.STRING, "string_value"),
)  # fmt: skip

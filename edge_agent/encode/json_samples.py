"""Samples of the profile `json`: one group for each source time, values as JSON knows them.

The work is done in columns; what remains for each sample is one entry of a dictionary.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray

from edge_agent.core.batch import Batch, Bytes, Floats, Int32s
from edge_agent.core.quality import BAD, CLASS_NAMES
from edge_agent.core.report import Samples
from edge_agent.core.selection import take
from edge_agent.core.tags import Kind

Group = dict[str, Any]
"""`{"t": ms, "values": {tag: value}, "quality": {tag: "bad"}}`, quality only if a tag is not good."""

Mask = NDArray[np.bool_]

_MS: Final = 1_000_000
_INT64: Final = 2.0**63


def groups(samples: Samples) -> list[Group]:
    """All samples (at least one) in time order; a tag that stands twice at one time begins another group."""
    batch, values, classes = plain(samples)
    starts = np.append(0, (batch.time[1:] != batch.time[:-1]).nonzero()[0] + 1)
    times = (batch.time[starts] // _MS).tolist()
    made: list[Group] = []
    names: list[str] = []
    form: Group = {}
    known = b""
    for time, start, end in zip(times, starts.tolist(), [*starts[1:].tolist(), len(values)], strict=True):
        tags = batch.tag[start:end]
        if (said := tags.tobytes()) != known:  # scans of one group say the same names again and again
            names, known = [samples.names[tag] for tag in tags.tolist()], said
            form = dict.fromkeys(names)
        made += _at_one_time(time, form, names, values[start:end], classes and classes[start:end])
    return made


def rows(samples: Samples) -> list[Group]:
    """As `groups`, for platforms that keep one value a tag and millisecond: a second one of a tag within the same is
    told a millisecond later, so that it does not take the place of the first."""
    made: list[Group] = []
    last: dict[str, int] = {}
    for group in groups(samples):
        known = [last[name] for name in group["values"] if name in last]
        if known and (behind := max(known)) >= group["t"]:
            group["t"] = behind + 1
        last.update(dict.fromkeys(group["values"], group["t"]))
        made.append(group)
    return made


def plain(samples: Samples) -> tuple[Batch, list[Any], list[int] | None]:
    """The samples in time order, the value of each as JSON knows it (None: it has none), and the class of each
    (None: all are good)."""
    batch = samples.batch
    if np.count_nonzero(batch.time[1:] < batch.time[:-1]):
        batch = take(batch, batch.time.argsort(kind="stable"))
    values, no_value = _plain(samples, batch)
    return batch, values, _classes(batch, no_value)


def _classes(batch: Batch, no_value: Mask | None) -> list[int] | None:
    """Each sample's class; None if all are good."""
    if no_value is None and not np.count_nonzero(batch.quality):
        return None
    quality = np.minimum(batch.quality >> 6, 2)
    if no_value is not None:
        quality[no_value] = BAD >> 6
    return quality.tolist() if np.count_nonzero(quality) else None


def _at_one_time(
    time_ms: int, form: Group, names: list[str], values: list[Any], classes: list[int] | None
) -> list[Group]:
    """`form` has the names as keys already: a copy need not grow while it is filled."""
    said = form.copy()
    said.update(zip(names, values, strict=True))
    if len(said) < len(names):
        return _with_repeats(time_ms, names, values, classes)
    group: Group = {"t": time_ms, "values": said}
    if classes and any(classes):
        group["quality"] = {name: CLASS_NAMES[c] for name, c in zip(names, classes, strict=True) if c}
    return [group]


def _with_repeats(
    time_ms: int, names: list[str], values: list[Any], classes: list[int] | None
) -> list[Group]:
    """As many groups as the most frequent tag needs; each tag's samples stay in their order."""
    turns: list[list[int]] = []
    count: dict[str, int] = {}
    for place, name in enumerate(names):
        turn = count.get(name, 0)
        count[name] = turn + 1
        if turn == len(turns):
            turns.append([])
        turns[turn].append(place)
    made: list[Group] = []
    for at in turns:
        picked = classes and [classes[i] for i in at]
        chosen = [names[i] for i in at]
        made += _at_one_time(time_ms, dict.fromkeys(chosen), chosen, [values[i] for i in at], picked)
    return made


def _plain(samples: Samples, batch: Batch) -> tuple[list[Any], Mask | None]:
    """Each sample's value as JSON knows it, and where there is none (`null`); None: nowhere."""
    finite = np.isfinite(batch.value)
    kinds = np.frombuffer(bytes(samples.kinds), np.uint8)
    if np.count_nonzero(finite) == len(finite):
        if not np.count_nonzero(kinds):
            return batch.value.tolist(), None
        if not np.count_nonzero(kinds != Kind.INT) and np.count_nonzero(is_whole(batch.value)) == len(finite):
            return batch.value.astype(np.int64).tolist(), None
    return _mixed(samples, batch, kinds[batch.tag], finite)


def _mixed(samples: Samples, batch: Batch, kind: Bytes, finite: Mask) -> tuple[list[Any], Mask]:
    no_value = ~finite
    plain = batch.value.astype(object)
    _set(plain, (kind == Kind.INT) & is_whole(batch.value), batch.value, np.int64)
    _set(plain, (kind == Kind.BOOL) & finite, batch.value, np.bool_)
    text = ((kind == Kind.TEXT) & finite).nonzero()[0]
    if len(text):
        found = _said(batch.tag[text], batch.value[text], samples.texts)
        plain[text] = found
        no_value[text[[said is None for said in found]]] = True
    plain[no_value] = None
    values: list[Any] = plain.tolist()
    return values, no_value


def is_whole(value: Floats) -> Mask:
    """Mask, shape (n,): what an int64 holds exactly."""
    with np.errstate(invalid="ignore"):
        whole: Mask = (np.abs(value) < _INT64) & (value == np.rint(value))
    return whole


def _set(plain: NDArray[np.object_], mask: Mask, value: Floats, kind: type[np.generic]) -> None:
    at = mask.nonzero()[0]
    if len(at):
        plain[at] = value[at].astype(kind)


def _said(tag: Int32s, code: Floats, texts: Mapping[int, Mapping[int, str]]) -> list[str | None]:
    """The text of each code; None where it is not known."""
    known = {(t, c): _proper(text) for t, said in texts.items() for c, text in said.items()}
    return [known.get(key) for key in zip(tag.tolist(), code.tolist(), strict=True)]


def _proper(text: str) -> str:
    """What JSON can carry: a device's stray half characters become question marks."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def parts(found: list[Group], room: int) -> list[list[bytes]]:
    """`found` encoded and cut into as few parts of at most `room` bytes as keep the order.

    A group that is too large alone is halved by its tags; a single sample too large goes alone.
    """
    cut: list[list[bytes]] = [[]]
    filled = 0
    for encoded in _small_enough(found, room):
        if cut[-1] and filled + len(encoded) + 1 > room:
            cut.append([])
            filled = 0
        cut[-1].append(encoded)
        filled += len(encoded) + 1
    return cut


def _small_enough(found: list[Group], room: int) -> Iterator[bytes]:
    for group in found:
        encoded = orjson.dumps(group)
        if len(encoded) <= room or len(group["values"]) == 1:
            yield encoded
        else:
            yield from _small_enough(_halves(group), room)


def _halves(group: Group) -> list[Group]:
    items = list(group["values"].items())
    made: list[Group] = []
    for half in (items[: len(items) // 2], items[len(items) // 2 :]):
        part: Group = {"t": group["t"], "values": dict(half)}
        quality = {name: group["quality"][name] for name, _ in half if name in group.get("quality", ())}
        if quality:
            part["quality"] = quality
        made.append(part)
    return made

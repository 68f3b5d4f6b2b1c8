"""A batch as bytes for the journal: columns, each made as narrow as it allows, exact to the bit.

    offset size
         0    1  version, 1
         1    1  flags: 1 the body is deflated (zlib), 2 dense, 4 qualities follow, 8 texts follow
         2    4  CRC-32 of everything else
         6    4  n, the number of samples
        10       body

The body, all numbers little-endian; for *narrow* columns see `narrow`:

1. tags, counted from the device's first: one byte w (1, 2 or 4), then the differences from one to
   the next modulo 2^8w. *Dense*: the batch is r scans of the same k tags, each scan at one time;
   then u32 k comes first, and only the first scan's tags are stored;
2. times, as runs of samples in a row that share one: u32 how many runs, i64 the first time, one
   byte u, the narrow differences in units of `UNITS[u]` ns; and, unless dense, the narrow lengths
   of the runs less one. Differences wrap at 64 bits;
3. values, sorted by tag (dense: by place in the scan), see `segments`;
4. qualities, a byte a sample in the order of 3, if any is not 0;
5. texts, if any: u32 how many, narrow tags, codes and lengths in bytes, and then the texts, UTF-8.

Invariants: every integer and every bit of every float comes back, in the order of the batch; a
record needs nothing but the names of the device's tags; a change of any byte is found. What a
crash leaves is the journal's business: there, a record is written whole or not at all.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from edge_agent.core.batch import Batch, Int32s, Int64s, empty
from edge_agent.core.selection import Places, stable_order
from edge_agent.core.tags import Vocabulary
from edge_agent.encode.narrow import Reader, narrow
from edge_agent.encode.segments import Lengths, pack_segments, unpack_segments

Texts = dict[int, dict[int, str]]
"""By tag, counted from the device's first: the text of each code that occurs."""

G = TypeVar("G", bound=np.generic)

VERSION: Final = 1
UNITS: Final = (1, 100, 1_000, 1_000_000)
"""Ticks of device clocks, ns."""

# Deflating at level 1 adds 20 to 70 % to the time of packing and 10 to 20 % to that of unpacking, and
# saves 10 % of the bytes (noise), 16 % (scans) or 35 to 45 % (what passes a deadband, decimals): on
# flash the better bargain. Not where there is next to nothing to save.
_LEAST_DEFLATED: Final = 256

# So few times are not worth the search for their unit.
_FEW_TIMES: Final = 16

_DEFLATED, _DENSE, _QUALITIES, _TEXTS = 1, 2, 4, 8
_HEAD: Final = struct.Struct("<BBII")
_COUNT: Final = struct.Struct("<I")
_TIMES: Final = struct.Struct("<IqB")
_BYTE: Final = np.dtype(np.uint8)
_TAG_TYPES: Final[dict[int, np.dtype[np.unsignedinteger[Any]]]] = {
    1: np.dtype("<u1"), 2: np.dtype("<u2"), 4: np.dtype("<u4"),
}  # fmt: skip


def pack(batch: Batch, base: int, vocabularies: Mapping[int, Vocabulary]) -> bytes:
    """The samples of one device, whose first tag has position `base`.

    `vocabularies`: by tag position; those of tags that are no texts are empty and may be in it.
    """
    n = len(batch)
    if n == 0:
        return _sealed(b"", 0, 0)
    local = batch.tag - np.int32(base)
    if int(local.min()) < 0:
        raise ValueError(f"a tag stands before the device's first, {base}")
    flags = 0
    order: Places | None
    k = _scan_length(batch)
    if k:
        flags |= _DENSE
        body = [_COUNT.pack(k), _pack_tags(local[:k]), _pack_times(batch.time[::k])]
        order, lengths = None, np.full(k, n // k)
    else:
        starts = _run_starts(batch.time)
        body = [_pack_tags(local), _pack_times(batch.time[starts]), narrow(_run_lengths(starts, n) - 1)]
        order, lengths = _by_tag(local)
    body.append(pack_segments(_sorted(batch.value, order, k), lengths))
    if np.count_nonzero(batch.quality):
        flags |= _QUALITIES
        body.append(_sorted(batch.quality, order, k).tobytes())
    if texts := _pack_texts(batch, base, vocabularies):
        flags |= _TEXTS
        body.append(texts)
    return _sealed(b"".join(body), flags, n)


def unpack(data: bytes) -> tuple[Batch, Texts]:
    """What `pack` wrote: tags counted from the device's first, and the texts of their codes.

    ValueError if it is damaged, or written by a newer version.
    """
    flags, n, body = _opened(data)
    if n == 0:
        return empty(), {}
    try:
        return _read(Reader(zlib.decompress(body) if flags & _DEFLATED else body), flags, n)
    except (zlib.error, struct.error, IndexError) as problem:  # a right check sum over a wrong body
        raise ValueError(f"not a batch: {problem}") from problem


def _read(reader: Reader, flags: int, n: int) -> tuple[Batch, Texts]:
    order: Places | None = None
    if flags & _DENSE:
        (k,) = reader.numbers(_COUNT)
        if not 0 < k <= n or n % k:
            raise ValueError(f"{n} samples are not scans of {k}")
        scans = np.empty((n // k, k), np.int32)
        scans[:] = _read_tags(reader, k)
        tag = scans.ravel()
        time = _read_times(reader, n // k).repeat(k)
        lengths = np.full(k, n // k)
    else:
        tag, times = _read_tags(reader, n), _read_times(reader, n)
        runs = reader.narrow(len(times)) + 1
        if int(runs.min()) < 1 or int(runs.max()) > n:
            raise ValueError("no such runs of samples")
        time = times.repeat(runs)
        order, lengths = _by_tag(tag)
    value = unpack_segments(reader, lengths)
    quality = reader.column(_BYTE, n).copy() if flags & _QUALITIES else np.zeros(n, np.uint8)
    if order is None:
        value, quality = _turned(value, n // k), _turned(quality, n // k)
    else:
        back = np.empty_like(order)
        back[order] = np.arange(n)
        value, quality = value[back], quality[back]
    texts = _read_texts(reader, n) if flags & _TEXTS else {}
    if len(time) != n or not reader.is_done:
        raise ValueError("the columns of the record differ in length")
    return Batch(tag, time, value, quality), texts


def _sorted(column: NDArray[G], order: Places | None, k: int) -> NDArray[G]:
    return _turned(column, k) if order is None else column[order]


def _turned(column: NDArray[G], k: int) -> NDArray[G]:
    """Rows of k as k columns, one after the other."""
    return column.reshape(-1, k).T.ravel()


def _scan_length(batch: Batch) -> int:
    """k, if the batch is scans of the same k tags, each at one time; else 0."""
    n = len(batch)
    again = (batch.tag == batch.tag[0]).nonzero()[0]
    k = int(again[1]) if len(again) > 1 else n
    # Compared as bytes, which takes a third of the time of comparing integers.
    if n % k or batch.tag[:k].tobytes() * (n // k) != batch.tag.tobytes():
        return 0
    return k if batch.time[::k].repeat(k).tobytes() == batch.time.tobytes() else 0


def _by_tag(local: Int32s) -> tuple[Places, Lengths]:
    """Places of the samples sorted by tag, each tag's in their order; and how many each tag has."""
    order = stable_order(local, int(local.max()) + 1)
    tag = local[order]
    return order, _run_lengths(_run_starts(tag), len(tag))


def _pack_tags(local: Int32s) -> bytes:
    largest = int(local.max())
    width = 1 if largest < 1 << 8 else 2 if largest < 1 << 16 else 4
    column = local.astype(_TAG_TYPES[width])
    column[1:] -= column[:-1].copy()
    return bytes((width,)) + column.tobytes()


def _read_tags(reader: Reader, n: int) -> Int32s:
    kind = _TAG_TYPES.get(int(reader.column(_BYTE, 1)[0]))
    if kind is None:
        raise ValueError("no such width of tags")
    return reader.column(kind, n).cumsum(dtype=kind).astype(np.int32)


def _run_starts(number: NDArray[np.integer[Any]]) -> Places:
    """Where the runs of equal numbers begin."""
    changes = (number[1:] != number[:-1]).nonzero()[0]
    starts = np.zeros(len(changes) + 1, np.intp)
    np.add(changes, 1, out=starts[1:])
    return starts


def _run_lengths(starts: Places, n: int) -> Lengths:
    lengths = np.empty_like(starts)
    lengths[:-1] = starts[1:]
    lengths[-1] = n
    lengths -= starts
    return lengths


def _pack_times(time: Int64s) -> bytes:
    step = time[1:] - time[:-1]
    unit = 0
    if len(step) > _FEW_TIMES:
        few = step[:4].tolist()  # most columns show with a few numbers which units they are not
        unit = next((u for u in (3, 2, 1) if not any(s % UNITS[u] for s in few)), 0)
        if unit and np.count_nonzero(step % UNITS[unit]):
            unit = 0
    return _TIMES.pack(len(time), int(time[0]), unit) + narrow(step // UNITS[unit] if unit else step)


def _read_times(reader: Reader, most: int) -> Int64s:
    runs, first, unit = reader.numbers(_TIMES)
    if not 0 < runs <= most or unit >= len(UNITS):
        raise ValueError("no times")
    time = np.empty(runs, np.int64)
    time[0] = first
    np.multiply(reader.narrow(runs - 1), UNITS[unit], out=time[1:])
    return time.cumsum()


def _pack_texts(batch: Batch, base: int, vocabularies: Mapping[int, Vocabulary]) -> bytes:
    found: list[tuple[int, int, bytes]] = []
    for position, vocabulary in vocabularies.items():
        if not vocabulary.texts:
            continue
        codes = batch.value[batch.tag == position]
        for code in np.unique(codes).tolist():
            if 0 <= code < len(vocabulary.texts):
                text = vocabulary.text(code).encode("utf-8", "surrogatepass")
                found.append((position - base, int(code), text))
    if not found:
        return b""
    tags, codes_found, texts = zip(*found, strict=True)
    columns = (tags, codes_found, [len(text) for text in texts])
    head = _COUNT.pack(len(found))
    return b"".join((head, *(narrow(np.array(column, np.int64)) for column in columns), *texts))


def _read_texts(reader: Reader, most: int) -> Texts:
    (n,) = reader.numbers(_COUNT)
    if n > most:
        raise ValueError("more texts than samples")
    columns = [reader.narrow(n).tolist() for _ in range(3)]
    texts: Texts = {}
    for tag, code, length in zip(*columns, strict=True):
        texts.setdefault(tag, {})[code] = reader.text(length)
    return texts


def _sealed(body: bytes, flags: int, n: int) -> bytes:
    if len(body) >= _LEAST_DEFLATED:
        deflated = zlib.compress(body, 1)
        if len(deflated) < len(body):
            flags, body = flags | _DEFLATED, deflated
    head = _HEAD.pack(VERSION, flags, 0, n)
    return _HEAD.pack(VERSION, flags, zlib.crc32(body, zlib.crc32(head)), n) + body


def _opened(data: bytes) -> tuple[int, int, bytes]:
    if len(data) < _HEAD.size:
        raise ValueError("too short for a batch")
    version, flags, crc, n = _HEAD.unpack_from(data)
    if version != VERSION:
        raise ValueError(f"a batch of version {version}, this is version {VERSION}")
    body = data[_HEAD.size :]
    if zlib.crc32(body, zlib.crc32(_HEAD.pack(version, flags, 0, n))) != crc:
        raise ValueError("a damaged batch: its check sum does not match")
    return flags, n, body

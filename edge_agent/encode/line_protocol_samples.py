"""Samples in line protocol: one line for each source time of a device, a field for each tag that has a sample then.

    press-1,agent=gw-01,device=press-1 temp=36.6,total=17i,running=true,program="A100" 1795384800000000000

A field's type is that of its tag: float, integer, boolean or text. Whoever asks for `temp` gets values that can be
used; beside it there is

    temp.quality    192, 64 or 0 (good, uncertain, bad, as OPC writes them), where it is not good; alone where there is
                    no value
    temp.bad        in place of `temp`, a value that is bad: no mean or chart takes it for a measurement
    total.float     in place of `total`, what is no int64: a field keeps its type for ever

The work is done in columns: all numbers are written at once, and what remains for each sample is its place in a list.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray

from edge_agent.core.batch import Batch, Floats, Int32s
from edge_agent.core.report import Samples
from edge_agent.core.selection import Places, take
from edge_agent.core.tags import Kind
from edge_agent.encode.instants import apart
from edge_agent.encode.line_protocol_text import key, text

Tokens = NDArray[np.object_]
"""Pieces of the payload, `bytes` each."""

Mask = NDArray[np.bool_]

QUALITIES: Final = (192, 64, 0)
"""By class: good, uncertain, bad (OPC DA 2.05, 6.8)."""

FIELDS_A_LINE: Final = 500
"""More at one time go on in another line. Servers limit a line (VictoriaMetrics: 256 kB), not how many there are."""

_INT64: Final = 2.0**63
_VALUE, _FLOAT, _QUALITY, _DOUBTED = range(4)      # the forms of a field's name
_BAD: Final = 2                                    # the class


@dataclass(frozen=True, slots=True)
class _Names:
    """What comes before a value; all by position of the tag, shape (tags,).

    within  a field within a line, one column for each form       first   the same at the beginning of a line
    marked  `,temp.quality=64i`, one column for each class
    """

    within: Tokens
    first: Tokens
    marked: Tokens


def encode(samples: Samples, head: str, reserved: frozenset[str], unit: int) -> bytes:
    """Lines in the order of time, the last one without its end; `head` is the measurement with its tags.

    reserved  names a field must not have, `time` and those of the line's tags: it has a _ at its end then
    unit      ns of one step of a time stamp. Of two samples of a tag at one time the later is put one step later.
    """
    batch = samples.batch
    if not len(batch):
        return b""
    names = _names(head, samples.names, reserved)
    batch = _in_time(batch, unit, len(samples.names))
    values, form, no_value = _values(samples, batch)
    form = _mark(values, batch, names, form, no_value)
    prefix, starts = _prefixes(batch, names, form)
    times = _numbers(batch.time[starts], b" ", b"\n")
    return _joined(prefix, values, times, starts)


@lru_cache(1024)
def _names(head: str, tags: tuple[str, ...], reserved: frozenset[str]) -> _Names:
    fields: list[bytes] = []
    for tag in tags:
        while tag in reserved:
            tag += "_"
        fields.append(key(tag).encode("utf-8", "replace"))
        reserved |= {tag}
    start = head.encode("utf-8", "replace") + b" "
    forms = (b"=", b".float=", b".quality=", b".bad=")
    within = [[b"," + field + form for form in forms] for field in fields]
    first = [[start + field + form for form in forms] for field in fields]
    marked = [[b",%b.quality=%di" % (field, code) for code in QUALITIES] for field in fields]
    return _Names(*(np.array(table, object).reshape(len(tags), -1) for table in (within, first, marked)))


# -- time ---------------------------------------------------------------------------------------


def _in_time(batch: Batch, unit: int, tags: int) -> Batch:
    """The samples in the order of time, each tag's times strictly increasing, in steps of `unit`."""
    if np.count_nonzero(batch.time[1:] < batch.time[:-1]):
        batch = take(batch, batch.time.argsort(kind="stable"))
    time = batch.time if unit == 1 else batch.time // unit
    moved = apart(time, batch.tag, tags)
    if moved is not None:
        order = moved.argsort(kind="stable")
        batch, time = take(batch, order), moved[order]
    return Batch(batch.tag, time, batch.value, batch.quality)


# -- values -------------------------------------------------------------------------------------


def _values(samples: Samples, batch: Batch) -> tuple[Tokens, Places | None, Mask | None]:
    """Each sample's value as written, the form of its field's name (None: all plain), and where there is none."""
    finite = np.isfinite(batch.value)
    kinds = np.frombuffer(bytes(samples.kinds), np.uint8)
    if np.count_nonzero(finite) == len(finite) and not np.count_nonzero(kinds):
        return _numbers(batch.value), None, None
    kind = kinds[batch.tag]
    tokens: Tokens = np.empty(len(finite), object)
    form = np.zeros(len(finite), np.intp)
    no_value = ~finite
    whole = _is_whole(batch.value)
    is_int = kind == Kind.INT
    form[is_int & ~whole] = _FLOAT
    _put(tokens, finite & ((kind == Kind.FLOAT) | is_int & ~whole), batch.value)
    at = (is_int & whole).nonzero()[0]
    tokens[at] = _numbers(batch.value[at].astype(np.int64), b"", b"i")
    at = ((kind == Kind.BOOL) & finite).nonzero()[0]
    tokens[at] = np.array([b"false", b"true"], object)[(batch.value[at] != 0).astype(np.intp)]
    at = ((kind == Kind.TEXT) & finite).nonzero()[0]
    said = _texts(batch.tag[at], batch.value[at], samples.texts)
    tokens[at] = said
    no_value[at[[one is None for one in said]]] = True
    form[no_value] = _QUALITY
    tokens[no_value] = b"%di" % QUALITIES[_BAD]
    return tokens, form, no_value


def _put(tokens: Tokens, where: Mask, value: Floats) -> None:
    at = where.nonzero()[0]
    tokens[at] = _numbers(value[at])


def _is_whole(value: Floats) -> Mask:
    with np.errstate(invalid="ignore"):
        whole: Mask = (np.abs(value) < _INT64) & (value == np.rint(value))
    return whole


def _texts(tag: Int32s, code: Floats, texts: Mapping[int, Mapping[int, str]]) -> list[bytes | None]:
    """The text of each code, quoted; None where it is not known."""
    known = {(t, c): text(one).encode() for t, said in texts.items() for c, one in said.items()}
    return [known.get(place) for place in zip(tag.tolist(), code.tolist(), strict=True)]


def _numbers(column: NDArray[np.number[Any]], before: bytes = b"", after: bytes = b"") -> Tokens:
    """Every number (none is NaN), as short as it comes back exactly, between `before` and `after`."""
    tokens: Tokens = np.empty(len(column), object)
    if len(column):
        written = orjson.dumps(np.ascontiguousarray(column), option=orjson.OPT_SERIALIZE_NUMPY)[1:-1]
        if before or after:
            written = before + written.replace(b",", after + b"," + before) + after
        tokens[:] = written.split(b",")
    return tokens


def _mark(
    tokens: Tokens, batch: Batch, names: _Names, form: Places | None, no_value: Mask | None
) -> Places | None:
    """Say behind each value that is not good how good it is (where there is none, it is said already); the forms of
    the names, with those of bad values."""
    if not np.count_nonzero(batch.quality):
        return form
    quality = np.minimum(batch.quality >> 6, _BAD)
    if no_value is not None:
        quality[no_value] = 0
    at = quality.nonzero()[0]
    tokens[at] = tokens[at] + names.marked[batch.tag[at], quality[at]]
    if form is None:
        form = np.zeros(len(tokens), np.intp)
    form[(quality == _BAD) & (form == _VALUE)] = _DOUBTED
    return form


# -- lines --------------------------------------------------------------------------------------


def _prefixes(batch: Batch, names: _Names, form: Places | None) -> tuple[Tokens, Places]:
    """What comes before each value, and where lines begin."""
    n = len(batch)
    new = np.empty(n, np.bool_)
    new[0] = True
    np.not_equal(batch.time[1:], batch.time[:-1], out=new[1:])
    starts = new.nonzero()[0]
    if n > FIELDS_A_LINE:
        lengths = np.append(starts[1:], n) - starts
        if int(lengths.max()) > FIELDS_A_LINE:
            new |= (np.arange(n) - starts.repeat(lengths)) % FIELDS_A_LINE == 0
            starts = new.nonzero()[0]
    prefix: Tokens = names.within[batch.tag, 0 if form is None else form]
    prefix[starts] = names.first[batch.tag[starts], 0 if form is None else form[starts]]
    return prefix, starts


def _joined(prefix: Tokens, values: Tokens, times: Tokens, starts: Places) -> bytes:
    n, lines = len(prefix), len(starts)
    number = np.zeros(n, np.intp)
    number[starts[1:]] = 1
    at = 2 * np.arange(n) + number.cumsum()     # two pieces for each sample, and one for each line before it
    pieces: Tokens = np.empty(2 * n + lines, object)
    pieces[at] = prefix
    pieces[at + 1] = values
    pieces[2 * np.append(starts[1:], n) + np.arange(lines)] = times
    return b"".join(pieces.tolist())[:-1]

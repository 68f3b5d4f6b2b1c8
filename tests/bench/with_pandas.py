"""The reference: OEE of a window from the samples of one machine, as one writes it in an afternoon with pandas.

Everything is computed anew from the samples of the window: states become spans, spans are joined and clipped to the
shift less its break, stops are sorted by length, counts are differences. Nothing is planned in the break, so what is
made in it does not count. No gaps, no late samples, no jobs; a stop is judged by its part within the shift.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

SECOND = 1_000_000_000
RUN, FAULT = 1, 2
MICRO_NS = 300 * SECOND


def oee(
    samples: pd.DataFrame, start: int, end: int, shift: tuple[int, int], pause: tuple[int, int], ideal_s: float
) -> dict[str, float]:
    """`samples`: time (ns), tag (state, total), value, by time; `end` is what is known so far of the shift."""
    before = samples[samples.time <= end]
    states = before[before.tag == "state"]
    # The state before the window, and those within: only from the last before it on.
    first = int((states.time <= start).sum()) - 1
    states = states.iloc[max(first, 0) :]
    begin = states.time.clip(lower=start)
    spans = pd.DataFrame({"start": begin, "end": begin.shift(-1, fill_value=end), "state": states.value})
    spans["group"] = (spans.state != spans.state.shift()).cumsum()
    spans = spans.groupby("group").agg(start=("start", "first"), end=("end", "last"), state=("state", "first"))
    spans["busy"] = _overlap(spans, *shift) - _overlap(spans, *pause)
    stopped = spans.state != RUN
    episode = (stopped != stopped.shift()).cumsum()
    length = spans.busy.groupby(episode).transform("sum")
    micro = spans.busy[stopped & (length <= MICRO_NS)].sum()
    run = spans.busy[~stopped].sum()
    fault = spans.busy[(spans.state == FAULT) & (length > MICRO_NS)].sum()
    planned = max(0, min(end, shift[1]) - shift[0]) - max(0, min(end, pause[1]) - pause[0])
    counts = before[before.tag == "total"]
    resting = (counts.time > pause[0]) & (counts.time <= pause[1])
    made = counts.value.diff()[(counts.time > start) & ~resting].sum()
    return {
        "oee": made * ideal_s * SECOND / planned, "run": run / SECOND, "micro": micro / SECOND,
        "fault": fault / SECOND, "pieces": made, "performance": made * ideal_s * SECOND / max(run + micro, 1),
    }  # fmt: skip


def _overlap(spans: pd.DataFrame, low: int, high: int) -> pd.Series:
    return (np.minimum(spans.end, high) - np.maximum(spans.start, low)).clip(lower=0)


def year(path: Path, windows: list[tuple[int, int, int]], ideal_s: float) -> list[dict[str, float]]:
    """The same for each window (start, end, start of its break of 15 min) of a file `time,tag,value`."""
    samples = pd.read_csv(path)
    samples["time"] = pd.to_datetime(samples.time, format="ISO8601").astype("datetime64[ns, UTC]").astype("int64")
    samples["tag"] = samples.tag.str.partition(".")[2].astype("category")
    samples = samples.sort_values("time", kind="stable", ignore_index=True)
    found = []
    for start, end, pause in windows:
        # A stop may reach in from before: a day of samples is enough here.
        low, high = samples.time.searchsorted([start - 86_400 * SECOND, end + 1])
        window = samples.iloc[low:high]
        found.append(oee(window, start, end, (start, end), (pause, pause + 900 * SECOND), ideal_s))
    return found

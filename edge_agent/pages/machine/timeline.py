"""The timeline: which state the machine was in, above what was planned; to be zoomed into."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from markupsafe import Markup

from edge_agent.pages.chart import Options, base, colours, time_axis
from edge_agent.pages.look import COLOURS
from edge_agent.pages.visit import Visit
from edge_agent.pages.words import Words, milliseconds

Row = Mapping[str, Any]

_PLAN: Final = {"busy": "#5c6470", "planned_down": "#b9c1ca", "not_scheduled": "#e3e7ec"}
_PLAN_DARK: Final = {"busy": "#8d98a5", "planned_down": "#4a545f", "not_scheduled": "#242d36"}

# Each item is [start, end, lane]; lane 0 is what was, lane 1 what was planned. What is narrower than a letter has none.
_DRAW: Final = """(params, api) => {
  const area = params.coordSys, lane = api.value(2);
  const from = Math.max(api.coord([api.value(0), 0])[0], area.x);
  const to = Math.min(api.coord([api.value(1), 0])[0], area.x + area.width);
  if (to <= from) return null;
  const low = 10 * edge.big, high = lane ? low : area.height - 1.6 * low;
  const y = lane ? area.y + area.height - low : area.y;
  const box = { type: "rect", shape: { x: from, y, width: Math.max(to - from, 0.7), height: high },
                style: { fill: api.visual("color") } };
  const mark = api.value(3);
  if (lane || to - from < 20 || !mark) return box;
  return { type: "group", children: [box, { type: "text", silent: true, style: {
    text: mark, x: (from + to) / 2, y: y + high / 2, fill: "#0b0e11", font: `700 ${15 * edge.big}px sans-serif`,
    textAlign: "center", textVerticalAlign: "middle" } }] };
}"""


def timeline(visit: Visit, answer: Row, begin: str, until: str) -> Options:
    """The chart of a window, of what `/spans` says of it."""
    start, end, now = milliseconds(begin), milliseconds(until), milliseconds(answer["end"])
    words = visit.words
    made = base(visit, grid={"left": 12, "right": 12, "top": 6, "bottom": 62})
    items = [*_states(answer["spans"], start, end, now, words), *_plans(answer["plan"], start, end, visit)]
    # A zoom is the visitor's: what is not said here stays as it is.
    zoom = {"filterMode": "none", "minValueSpan": 30_000}
    seen = colours(visit.dark)
    slider = {
        "type": "slider",
        "height": 22,
        "bottom": 6,
        "borderColor": seen.line,
        "brushSelect": False,
        "fillerColor": f"{seen.accent}33",
        "handleStyle": {"color": seen.accent},
        "showDataShadow": False,
        "moveHandleSize": 0,
        "textStyle": {"color": seen.soft},
        ":labelFormatter": f"(t) => edge.hour(t, '{visit.zone}', true)",
    }
    return made | {
        "xAxis": time_axis(visit, start, end),
        "yAxis": {"show": False, "min": 0, "max": 1},
        "dataZoom": [{"type": "inside", **zoom}, slider | zoom],
        "series": [
            {
                "type": "custom",
                ":renderItem": _DRAW,
                "encode": {"x": [0, 1]},
                "clip": True,
                "data": items,
                "tooltip": {":formatter": "(item) => item.data.tip"},
            }
        ],
    }


def _states(spans: Sequence[Row], start: int, end: int, now: int, words: Words) -> Iterator[Options]:
    for span in spans:
        begun = milliseconds(span["start"])
        ended = milliseconds(span["end"]) if span["end"] else now
        low, high = max(begun, start), min(ended, end)
        if high <= low:
            continue
        state = str(span["state"])
        yield {
            "value": [low, high, 0, words.of("mark.", state)],
            "itemStyle": {"color": COLOURS.get(state, COLOURS["UNKNOWN"])},
            "tip": tip(span, (ended - begun) / 1000, words),
        }


def tip(span: Row, seconds: float, words: Words) -> str:
    """What is said of a stretch: state, from when to when, how long, why."""
    reason = words.reason(span.get("reason"))
    return str(
        Markup("<b>{}</b>{}<br>{} – {} · {}{}").format(
            words.of("state.", str(span["state"])),
            Markup(": {}").format(reason) if reason else "",
            words.hour(span["start"], seconds=True),
            words.hour(span["end"], seconds=True) if span["end"] else words("machine.now"),
            words.length(seconds),
            Markup("<br>{}").format(words("andon.operator")) if span.get("source") == "operator" else "",
        )
    )


def _plans(plan: Sequence[Row], start: int, end: int, visit: Visit) -> Iterator[Options]:
    words, drawn = visit.words, _PLAN_DARK if visit.dark else _PLAN
    for span in plan:
        low, high = max(milliseconds(span["start"]), start), min(milliseconds(span["end"]), end)
        if high <= low:
            continue
        kind = str(span["kind"])
        label = f" · {span['label']}" if span.get("label") else ""
        text = Markup("{}{}<br>{} – {}").format(
            words.of("plan.label.", kind), label, words.hour(span["start"]), words.hour(span["end"])
        )
        yield {
            "value": [low, high, 1, ""],
            "itemStyle": {"color": drawn.get(kind, drawn["not_scheduled"])},
            "tip": str(text),
        }

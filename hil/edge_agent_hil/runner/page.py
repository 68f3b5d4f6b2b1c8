"""The report as one HTML file that needs nothing else: verdicts, pictures, what the agent said."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from html import escape

from edge_agent_hil.runner.pictures import pictures
from edge_agent_hil.runner.played import Played
from edge_agent_hil.runner.verdict import Verdict

Result = tuple[Played, Sequence[Verdict]]
# Of a log that goes on for ever its end says what happened last.
LOG_TAIL = 40_000

STYLE = """
:root{color-scheme:light dark;--ink:#1b1f24;--paper:#fff;--soft:#5b6470;--line:#d5dae1;--ok:#1a7f43;--bad:#c4262e;
--true:#5b6470;--measured:#1668c7;--fault:#c4262e}
@media(prefers-color-scheme:dark){:root{--ink:#e6e9ed;--paper:#15181c;--soft:#9aa4b1;--line:#343b45;--ok:#4cc07a;
--bad:#ff6b70;--true:#aab3bf;--measured:#6bb0ff;--fault:#ff6b70}}
body{font:15px/1.45 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:1000px;margin:0 auto;
padding:24px 20px 60px}
h1{font-size:24px;margin:0 0 4px}h2{font-size:19px;margin:44px 0 4px;border-top:1px solid var(--line);padding-top:20px}
h3{font-size:13px;font-weight:600;color:var(--soft);margin:18px 0 2px}
p{margin:4px 0}.soft{color:var(--soft)}.ok{color:var(--ok)}.bad{color:var(--bad);font-weight:600}
table{border-collapse:collapse;width:100%;margin:12px 0}td,th{text-align:left;padding:4px 10px 4px 0;
border-bottom:1px solid var(--line);vertical-align:top;overflow-wrap:anywhere}th{font-weight:600;color:var(--soft);
font-size:13px}td:first-child,th:first-child{width:3.2em}.took{white-space:nowrap;text-align:right}a{color:inherit}
svg{width:100%;height:auto;display:block}svg text{font:10.5px system-ui,sans-serif;fill:var(--soft)}
.label{text-anchor:end}.tick{text-anchor:middle}.grid{stroke:var(--line);stroke-width:.6}
.axis{stroke:var(--soft);stroke-width:.8}polyline{fill:none}.true{stroke:var(--true);stroke-width:4;opacity:.55}
.measured{stroke:var(--measured);stroke-width:1.6}.bounds{stroke:var(--measured);stroke-width:1;stroke-dasharray:3 3;
opacity:.7}.fault rect{fill:var(--fault);opacity:.13}.fault text{fill:var(--fault);font-weight:600}
.RUN{fill:#2e9e5b}.IDLE{fill:#e3b341}.FAULT{fill:#d0383f}.SETUP{fill:#3f7fd0}.MAINT{fill:#8257c9}.OFF{fill:#59616c}
.UNKNOWN{fill:#b7bec8}.key{display:inline-block;width:11px;height:11px;border-radius:2px;margin:0 4px 0 12px}
ol{margin:6px 0;padding-left:22px}pre{font:12px/1.4 ui-monospace,monospace;white-space:pre-wrap;overflow-wrap:anywhere;
border:1px solid var(--line);padding:10px;max-height:420px;overflow:auto}summary{cursor:pointer;color:var(--soft)}
"""
COLOURS = {
    "RUN": "#2e9e5b", "IDLE": "#e3b341", "SETUP": "#3f7fd0", "FAULT": "#d0383f", "MAINT": "#8257c9",
    "OFF": "#59616c", "UNKNOWN": "#b7bec8",
}  # fmt: skip


def page(results: Sequence[Result]) -> str:
    """The document."""
    failed = sum(not _holds(verdicts) for _, verdicts in results)
    began = min((played.begin for played, _ in results if played.begin), default=0)
    when = datetime.fromtimestamp(began / 1e9, UTC).strftime("%Y-%m-%d %H:%M UTC") if began else ""
    told = f'<span class="bad">{failed} failed</span>' if failed else '<span class="ok">every verdict holds</span>'
    parts = [
        f"<h1>{len(results)} scenario{'s' * (len(results) != 1)}: {told}</h1>",
        f'<p class="soft">edge-hil run, {when}</p>',
        *_contents(results),
        *(part for result in results for part in _scenario(*result)),
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" '
        f'content="width=device-width"><title>edge-hil: {len(results)} scenarios, {failed} failed</title>'
        f"<style>{STYLE}</style></head><body>\n{chr(10).join(parts)}\n</body></html>\n"
    )


def _holds(verdicts: Sequence[Verdict]) -> bool:
    return all(verdict.holds for verdict in verdicts)


def _mark(holds: bool, skipped: str = "") -> str:
    if skipped:
        return '<td class="soft">–</td>'
    return '<td class="ok">ok</td>' if holds else '<td class="bad">FAIL</td>'


def _contents(results: Sequence[Result]) -> Iterator[str]:
    yield '<table><tr><th></th><th>scenario</th><th>what it is there to catch</th><th class="took">took</th></tr>'
    for played, verdicts in results:
        file, name = played.loaded.file, escape(played.loaded.name)
        yield (
            f'<tr>{_mark(_holds(verdicts), played.skipped)}<td><a href="#{name}">{escape(file.scenario)}</a></td>'
            f'<td class="soft">{escape(file.pain)}</td><td class="took">{played.seconds:.0f} s</td></tr>'
        )
    yield "</table>"


def _scenario(played: Played, verdicts: Sequence[Verdict]) -> Iterator[str]:
    file, name = played.loaded.file, escape(played.loaded.name)
    yield f'<h2 id="{name}">{escape(file.scenario)}</h2>'
    yield f'<p class="soft">{name}, seed {played.seed}, {played.seconds:.0f} s</p><p>{escape(file.pain)}</p>'
    if played.skipped:
        yield f'<p class="soft">skipped: {escape(played.skipped)}</p>'
        return
    yield "<table><tr><th></th><th>verdict</th><th>expected</th><th>found</th></tr>"
    for one in verdicts:
        detail = f'<br><span class="soft">{escape(one.detail)}</span>' if one.detail and not one.holds else ""
        cells = "".join(f"<td>{escape(text)}</td>" for text in (one.name, one.wanted))
        yield f"<tr>{_mark(one.holds)}{cells}<td>{escape(one.found)}{detail}</td></tr>"
    yield "</table>"
    if played.begin:
        yield from _drawn(played)
    if played.log:
        yield f"<details><summary>what the agent logged</summary><pre>{escape(played.log[-LOG_TAIL:])}</pre></details>"


def _drawn(played: Played) -> Iterator[str]:
    if played.faults:
        yield "<h3>faults</h3><ol>"
        for fault in sorted(played.faults, key=lambda one: one.begin):
            begin, end = ((t - played.begin) / 1e9 for t in (fault.begin, fault.end))
            yield f"<li>{begin:.1f} s to {end:.1f} s: {escape(str(fault.step))}</li>"
        yield "</ol>"
    keys = "".join(f'<span class="key" style="background:{colour}"></span>{state}' for state, colour in COLOURS.items())
    yield f'<p class="soft">states:{keys}</p>'
    yield (
        '<p class="soft">curves: <b style="color:var(--true)">thick grey</b> is the truth, '
        '<b style="color:var(--measured)">thin blue</b> what arrived, dashed its bounds; '
        '<b class="bad">red</b> bands are the faults above</p>'
    )
    for heading, svg in pictures(played):
        yield f"<h3>{escape(heading)}</h3>{svg}"

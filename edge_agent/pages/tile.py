"""A machine on the Andon board, and what machines add up to: markup from one row of `/overview`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from markupsafe import Markup

from edge_agent.pages.client import place
from edge_agent.pages.look import STATES, bar, ring, shape
from edge_agent.pages.words import Words

Row = Mapping[str, Any]

_FACTORS: Final = (("A", "availability"), ("P", "performance"), ("Q", "quality"))
# A shift so far is behind or ahead of its plan from a fiftieth of the plan on; below that it is in time.
_NOTICEABLE: Final = 0.02
_RATIOS: Final = ("oee", "availability", "performance", "quality")


def observed(row: Row) -> Row:
    """The row, without the figures of a window in which nothing was seen: 0 would be a number that nobody has seen."""
    if row.get("data_coverage") != 0:
        return row
    return {**row, **dict.fromkeys(_RATIOS), "good": row.get("good") or None}


def unknown(row: Row, letter: str, words: Words) -> str:
    """Why a factor has no value."""
    return words("shell.no_data") if row.get("data_coverage") == 0 else words(f"andon.{letter}.none")


def tile(row: Row, lasts: str, words: Words) -> Markup:
    """A machine: its state and how long that `lasts`, OEE and its factors, pieces against the target, the job."""
    row = observed(row)
    state, reason = str(row["state"]), why(row, words)
    since = row.get("since")
    return Markup(
        '<a class="tile s-{state}" href="{href}" data-machine="{id}" aria-label="{label}">'
        '<header>{shape}<b>{id}</b><span class="since" title="{since_title}">{since}</span></header>'
        '<p class="why"><span>{state_name}</span>{reason}</p>'
        '<div class="figures">{ring}<dl>{factors}</dl></div>{pieces}<footer>{job}{flags}</footer></a>'
    ).format(
        state=state,
        href=place("machine", str(row["id"])),
        id=row["id"],
        label=f"{row['id']}: {words.of('state.', state)}",
        shape=shape(state),
        since=lasts,
        since_title=words("andon.since", time=words.moment(since)) if since else "",
        state_name=words.of("state.", state),
        reason=Markup("<small>{}</small>").format(reason) if reason else "",
        ring=oee_ring(row, words),
        factors=factors(row, words),
        pieces=pieces(row, words),
        job=_job(row, words),
        flags=_flags(row, words),
    )


def why(row: Row, words: Words) -> str:
    """The reason of its state; of one that nothing was ever heard of, that."""
    never = row["state"] == "UNKNOWN" and not row.get("since")
    return words.reason(row.get("reason")) or (words("andon.never") if never else "")


def rollup(row: Row, words: Words) -> Markup:
    """A line, an area or the site: OEE with its factors, how many machines are in which state, pieces."""
    row = observed(row)
    scope, name = str(row["scope"]), str(row["id"])
    states = row.get("states") or {}
    counts = Markup("").join(
        Markup('<span class="count s-{0}" title="{1}">{2}{3}</span>').format(
            state, words.of("state.", state), shape(state), states[state]
        )
        for state in STATES
        if states.get(state)
    )
    return Markup(
        '<button type="button" class="rollup {scope}" data-key="{key}" onclick="andon.choose(this.dataset.key)">'
        '{ring}<span class="what"><b>{name}</b><span class="counts">{counts}</span>{pieces}</span>'
        '<dl>{factors}</dl></button>'
    ).format(
        scope=scope,
        key=f"{scope}:{name}",
        ring=oee_ring(row, words),
        name=words("andon.site") if scope == "site" else name,
        counts=counts,
        pieces=pieces(row, words),
        factors=factors(row, words),
    )


def oee_ring(row: Row, words: Words) -> Markup:
    """OEE as a ring; a dash where there is none."""
    oee = row.get("oee")
    return ring(oee, words.whole_percent(oee), "% OEE" if oee is not None else "OEE")


def factors(row: Row, words: Words) -> Markup:
    """Availability, performance and quality: letter, bar and percent."""
    return Markup("").join(
        Markup('<div title="{}{}"><dt>{}</dt><dd>{}<b>{}</b></dd></div>').format(
            words(f"andon.{letter}"),
            "" if row.get(key) is not None else f": {unknown(row, letter, words)}",
            letter,
            bar(row.get(key), "factor"),
            words.whole_percent(row.get(key)),
        )
        for letter, key in _FACTORS
    )


def pieces(row: Row, words: Words) -> Markup:
    """Good pieces against the target of the shift, with a mark where the plan would be by now."""
    good, target, by_now = row.get("good"), row.get("target_end"), row.get("target")
    if not target:
        return Markup('<div class="pieces"><span><b>{}</b> <small>{}</small></span></div>').format(
            words.number(good), words("andon.good_pieces")
        )
    share = None if good is None else good / target
    mark = Markup('<u style="left:{:.1f}%"></u>').format(min(1.0, by_now / target) * 100) if by_now is not None else ""
    return Markup(
        '<div class="pieces"><span><b>{good}</b> <small>{of}</small>{gap}</span>'
        '<span class="track">{bar}{mark}</span></div>'
    ).format(
        good=words.number(good),
        of=words("andon.of_target", target=words.number(target)),
        gap=_gap(good, by_now, target, words),
        bar=bar(share, "pieces"),
        mark=mark,
    )


def _gap(good: float | None, by_now: float | None, target: float, words: Words) -> Markup:
    if good is None or by_now is None or abs(good - by_now) < max(1.0, _NOTICEABLE * target):
        return Markup("")
    kind = "behind" if good < by_now else "ahead"
    return Markup('<em class="{}">{}</em>').format(kind, words(f"andon.{kind}", n=words.number(abs(good - by_now))))


def _job(row: Row, words: Words) -> Markup:
    told = " · ".join(str(row[name]) for name in ("product", "order") if row.get(name))
    return Markup('<span class="job">{}</span>').format(told)


def _flags(row: Row, words: Words) -> Markup:
    flags = list(row.get("flags") or ())
    said = Markup('<span class="flag" title="{}">{}</span>')
    shown = Markup("")
    if row.get("window") is None:
        shown += said.format("", words("andon.no_window"))
    elif "NO_PLANNED_TIME" in flags:
        shown += said.format("", words("andon.no_plan"))
    elif row.get("oee") is None and "PRU_MISSING" in flags:
        shown += said.format(words("flag.PRU_MISSING"), words("andon.no_ideal"))
    elif row.get("data_coverage") == 0:
        shown += said.format(words("flag.LOW_CONFIDENCE"), words("shell.no_data"))
    elif "LOW_CONFIDENCE" in flags:
        coverage = words.percent(row.get("data_coverage"), 0)
        shown += said.format(f"{words('kpi.data_coverage')} {coverage}", f"{words('andon.low')} {coverage}")
    elif row.get("oee") is None:
        shown += said.format(words.of("flag.", str(flags[0])) if flags else "", words("shell.no_data"))
    return shown


def lasting(row: Row, now: str, words: Words) -> str:
    """How long the machine has been in its state at `now`, the instant for which the API has answered."""
    since = row.get("since")
    if not since:
        return ""
    return words.length((datetime.fromisoformat(now) - datetime.fromisoformat(since)).total_seconds())

"""How connections look: a device with its scans, a destination with its backlog, the journal, a certificate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from markupsafe import Markup

from edge_agent.pages.tools import shown
from edge_agent.pages.words import NOTHING, THIN, Words

_KB: Final = 1000.0
_UNITS: Final = ("B", "kB", "MB", "GB", "TB")
# Shapes beside the colours: a disc, a ring, a cross.
_MARKS: Final = {"connected": "●", "connecting": "◌", "lost": "✕"}
# How much of its period a scan may take before that is worth a colour.
_BUSY: Final = 0.8

Row = Mapping[str, Any]


def device(row: Row, words: Words) -> Markup:
    """A device: state, address, tags, and how much is asked of it."""
    return Markup(
        '<div class="line is-{}">{}<div class="line-main"><b>{}</b><code>{}</code>{}{}</div>{}{}</div>'
    ).format(
        row["state"],
        _state(row, words),
        row["id"],
        row["address"],
        _trouble(row, words),
        _asked(row, words),
        Markup('<a class="line-tags" href="/tags?device={}">{}</a>').format(row["id"], shown.share(row["tags"], words)),
        _scan(row, words),
    )


def _asked(row: Row, words: Words) -> Markup:
    """What it is asked, request by request, for those who want to know."""
    if not row["asked"]:
        return Markup("")
    lines = Markup("").join(Markup("<li>{}</li>").format(line) for line in row["asked"])
    return Markup('<details class="asked"><summary>{}</summary><ul lang=en>{}</ul></details>').format(
        words("connections.asked"), lines
    )


def _state(row: Row, words: Words) -> Markup:
    return Markup(
        '<div class="line-state"><span class="q is-{0}"><i aria-hidden="true">{1}</i>{2}</span><small>{3}</small></div>'
    ).format(
        row["state"],
        _MARKS.get(row["state"], "?"),
        words.of("connections.state.", row["state"]),
        words("connections.since", time=words.moment(row["since"])),
    )


def _trouble(row: Row, words: Words) -> Markup:
    if row["state"] == "connected" or not row["error"]:
        return Markup("")
    again = Markup("")
    if row["failures"]:
        again = Markup('<small class="soft">{}</small>').format(
            words("connections.again", failures=row["failures"], time=words.hour(row["next_attempt"], seconds=True))
        )
    return Markup('<p class="error">{}</p>{}').format(words.told(row["error"]), again)


def _scan(row: Row, words: Words) -> Markup:
    """How often which tags are asked for, how long that takes, how much that is."""
    groups = ", ".join(
        words("connections.group", tags=group["tags"], period=_seconds(group["period_s"])) for group in row["scans"]
    )
    how = "connections.reports" if row["polled"] is False else "connections.polled"
    load = Markup("")
    shortest = min((group["period_s"] for group in row["scans"]), default=0)
    if row["polled"] and row["lag_s"] is not None and shortest:
        # A row carries the instant midway between the first request and the last answer.
        took = 2 * row["lag_s"]
        load = Markup(
            '<span class="loadbar" title="{}"><span class="bar"><i class="{}" style="width:{:.1f}%"></i>'
            "</span>{}</span>"
        ).format(
            words("connections.load"),
            "warn" if took >= _BUSY * shortest else "",
            min(took / shortest, 1) * 100,
            words("connections.takes", scan=_seconds(took), period=_seconds(shortest)),
        )
    skipped = Markup("")
    if row["scans_skipped"]:
        skipped = Markup('<span class="flag">{}</span>').format(words("connections.skipped", n=row["scans_skipped"]))
    return Markup('<div class="line-scan"><span><b>{}</b> {}</span><small>{} {}</small>{}{}</div>').format(
        words.number(row["samples_s"], 1 if row["samples_s"] < 10 else 0), words("connections.samples_s"),
        words(how) if groups else "", groups, load, skipped,
    )  # fmt: skip


def destination(row: Row, done: float | None, words: Words) -> Markup:
    """A destination: state, address, what waits and how fast that goes."""
    kind = f"{row['type']} · {row['profile']}" if row["profile"] else row["type"]
    lanes = " · ".join(f"{words.of('connections.lane.', name)} {n:,}" for name, n in row["lanes"].items())
    drain = Markup("")
    if row["draining"] is not None:
        told = row["draining"]
        drain = Markup(
            '<span class="loadbar"><span class="bar"><i class="pieces" style="width:{:.1f}%"></i></span>{}</span>'
        ).format(
            (done or 0) * 100,
            words(
                "connections.draining",
                records=f"{told['records']:,}",
                rate=words.number(told["records_s"]),
                left=words.length(told["left_s"]),
            ),
        )
    evicted = sum(row["evicted"].values())
    lost = (
        Markup('<span class="flag">{}</span>').format(words("connections.evicted", n=f"{evicted:,}"))
        if evicted
        else Markup("")
    )
    if row["rejected"]:
        lost += Markup('<span class="flag">{}</span>').format(words("connections.rejected", n=f"{row['rejected']:,}"))
    return Markup(
        '<div class="line is-{}">{}<div class="line-main"><b>{}</b><code>{}</code>'
        '<small class="soft">{}</small>{}</div>'
        '<div class="line-scan wide"><span><b>{}</b> {}</span><small>{}</small>{}{}</div></div>'
    ).format(
        row["state"], _state(row, words), row["id"], row["address"], kind, _trouble(row, words),
        f"{row['backlog']:,}", words("connections.backlog"), lanes, drain, lost,
    )  # fmt: skip


def journal(told: Row, words: Words) -> Markup:
    """The durable log in one line."""
    kind, mark, said = ("good", "●", words("connections.journal.ok")) if told["ok"] else ("bad", "✕", told["error"])
    state = Markup('<span class="q q-{}"><i aria-hidden="true">{}</i>{}</span>').format(kind, mark, words.told(said))
    parts = (
        ("size", size(told["bytes"])), ("pending", f"{told['pending']:,}"),
        ("written", size(told["written_bytes"])), ("a_day", size(told["written_a_day"])),
    )  # fmt: skip
    figures = Markup("").join(
        Markup("<span><small>{}</small><b>{}</b></span>").format(words(f"connections.journal.{name}"), text)
        for name, text in parts
    )
    return Markup('<section class="card strip"><h2>{}</h2>{}{}</section>').format(
        words("connections.journal"), state, figures
    )


def certificate(one: Row, words: Words) -> Markup:
    """Whose it is, until when, and what is to be known of it."""
    until = words("connections.until", date=str(one["ends"])[:10], days=one["days"]) if one["ends"] else ""
    remarks = Markup("").join(Markup('<p class="error">{}</p>').format(words.told(remark)) for remark in one["remarks"])
    return Markup(
        '<span class="badge">{}</span><div><b>{}</b><small class="soft">{}</small>'
        '<code title="SHA-256">{}</code>{}</div><small>{}</small>'
    ).format(
        words.of("connections.place.", one["place"]), one["subject"], one["uri"] or ", ".join(one["names"]),
        _grouped(one["fingerprint"]), remarks, until,
    )  # fmt: skip


def _grouped(fingerprint: str) -> str:
    """As one reads it out to somebody at the other end of the telephone."""
    return " ".join(fingerprint[n : n + 4] for n in range(0, len(fingerprint), 4))


def size(number: float) -> str:
    """`1.2 MB`."""
    value, unit = float(number), 0
    while value >= _KB and unit < len(_UNITS) - 1:
        value, unit = value / _KB, unit + 1
    return f"{value:.{0 if unit == 0 or value >= 100 else 1}f}{THIN}{_UNITS[unit]}"


def _seconds(seconds: float | None) -> str:
    if seconds is None:
        return NOTHING
    if seconds < 1:
        return f"{seconds * 1000:.{0 if seconds >= 0.01 else 1}f}{THIN}ms"
    return f"{seconds:g}{THIN}s"

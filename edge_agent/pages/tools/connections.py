"""Connections: devices with their scans, destinations with what waits for them, the journal, certificates."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final

from markupsafe import Markup
from nicegui import ui

from edge_agent.pages.client import place
from edge_agent.pages.parts import card, html, note
from edge_agent.pages.tools import shown
from edge_agent.pages.tools.look import put, style
from edge_agent.pages.visit import Visit
from edge_agent.pages.words import NOTHING, Words

EVERY_S: Final = 1.0
FRESH_S: Final = 0.8
# Certificates come and go when somebody does something about them.
CERTIFICATES_EVERY_S: Final = 10.0
_KB: Final = 1000.0
_UNITS: Final = ("B", "kB", "MB", "GB", "TB")
_THIN: Final = "\u202f"
# Shapes beside the colours: a disc, a ring, a cross.
_MARKS: Final = {"connected": "●", "connecting": "◌", "lost": "✕"}
# How much of its period a scan may take before that is worth a colour.
_BUSY: Final = 0.8

Row = Mapping[str, Any]


async def show(visit: Visit) -> None:
    """Put the page together."""
    style(visit)
    page = _Connections(visit)
    await page.refresh()
    visit.every(EVERY_S, page.refresh)


class _Connections:
    """What is drawn."""

    def __init__(self, visit: Visit) -> None:
        self._visit = visit
        words = visit.words
        self._most: dict[str, int] = {}
        self._looked = -CERTIFICATES_EVERY_S
        self._held: dict[str, str] = {}
        with card(words("connections.devices")):
            self._devices = ui.element("div").classes("linerows")
        with card(words("connections.destinations")):
            self._destinations = ui.element("div").classes("linerows")
        self._journal = html("").classes("spaced")
        with card(
            words("connections.certificates"),
            Markup('<span class="soft">{}</span>').format(words("connections.certificates.note")),
        ):
            self._certificates = ui.element("div").classes("certs")
        self._rows: dict[str, ui.html] = {}

    async def refresh(self) -> None:
        """Ask, and draw what is new."""
        visit = self._visit
        devices = (await visit.shared("/devices", FRESH_S))["devices"]
        told = await visit.shared("/destinations", FRESH_S)
        self._lay_out(self._devices, "device", devices, visit.words("connections.no_devices"))
        self._lay_out(
            self._destinations, "destination", told["destinations"], visit.words("connections.no_destinations")
        )
        for row in devices:
            put(self._rows[f"device:{row['id']}"], device(row, visit.words))
        for row in told["destinations"]:
            put(self._rows[f"destination:{row['id']}"], destination(row, self._share_done(row), visit.words))
        put(self._journal, journal(told["journal"], visit.words))
        if time.monotonic() - self._looked >= CERTIFICATES_EVERY_S:
            await self._look()

    def _lay_out(self, box: ui.element, kind: str, rows: list[Row], nothing: str) -> None:
        names = ",".join(row["id"] for row in rows)
        if self._held.get(kind) == names:
            return
        self._held[kind] = names
        box.clear()
        with box:
            for row in rows:
                self._rows[f"{kind}:{row['id']}"] = html("").classes("lineplace").props(f'data-{kind}="{row["id"]}"')
            if not rows:
                note(nothing)

    def _share_done(self, row: Row) -> float | None:
        """How much of a backlog has gone out since it was seen first; None while nothing is draining."""
        if row["draining"] is None:
            self._most.pop(row["id"], None)
            return None
        left = int(row["draining"]["records"])
        most = self._most[row["id"]] = max(left, self._most.get(row["id"], 0))
        return 1 - left / most if most else None

    async def _look(self) -> None:
        self._looked = time.monotonic()
        found = (await self._visit.get("/certificates"))["certificates"]
        self._certificates.clear()
        with self._certificates:
            for one in found:
                self._certificate(one)
            if not found:
                note(self._visit.words("connections.no_certificates"))

    def _certificate(self, one: Row) -> None:
        words = self._visit.words
        with ui.element("div").classes(f"cert place-{one['place']}").props(f'data-fingerprint="{one["fingerprint"]}"'):
            html(certificate(one, words)).classes("grow certline")
            if self._visit.may("engineer") and one["place"] in ("trusted", "rejected"):
                trust = one["place"] == "rejected"

                async def decide() -> None:
                    await self._visit.attempt(lambda: self._decide(one, trust))

                text = words("connections.trust" if trust else "connections.distrust")
                ui.button(text, on_click=decide).props("no-caps unelevated" if trust else "no-caps outline")

    async def _decide(self, one: Row, trust: bool) -> None:
        done = await self._visit.post(place("certificates", one["fingerprint"]), {"trust": trust})
        for advice in done["advice"]:
            ui.notify(advice)
        await self._look()


# -- markup --------------------------------------------------------------------------------------


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
    return Markup('<p class="error">{}</p>{}').format(row["error"], again)


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
    state = Markup('<span class="q q-good"><i>●</i>{}</span>').format(words("connections.journal.ok"))
    if not told["ok"]:
        state = Markup('<span class="q q-bad"><i>✕</i>{}</span>').format(told["error"])
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
    remarks = Markup("").join(Markup('<p class="error">{}</p>').format(remark) for remark in one["remarks"])
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
    return f"{value:.{0 if unit == 0 or value >= 100 else 1}f}{_THIN}{_UNITS[unit]}"


def _seconds(seconds: float | None) -> str:
    if seconds is None:
        return NOTHING
    if seconds < 1:
        return f"{seconds * 1000:.{0 if seconds >= 0.01 else 1}f}{_THIN}ms"
    return f"{seconds:g}{_THIN}s"

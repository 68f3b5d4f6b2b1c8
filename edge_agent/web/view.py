"""What the API shows of a running agent: its state now, read from the parts that hold it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from fractions import Fraction
from itertools import islice
from typing import Any, Final, cast

import numpy as np

from edge_agent import __version__
from edge_agent.api import Clock, Driver, Tag, TagConfig
from edge_agent.config import Site
from edge_agent.core.cycles import FAST
from edge_agent.core.engine import Engine
from edge_agent.core.machine import Machine
from edge_agent.core.phrase import without_password
from edge_agent.core.quality import BAD, UNCERTAIN, class_name, reason_name
from edge_agent.core.quantity import SECOND
from edge_agent.core.report import Status
from edge_agent.core.ring import NEVER
from edge_agent.core.wall import local
from edge_agent.health import Health, Line
from edge_agent.journal import Journal
from edge_agent.web import answers
from edge_agent.web.alarms import AlarmsView
from edge_agent.web.digital import DigitalView
from edge_agent.web.kpis import KpiView
from edge_agent.why import Facts, line_chain, plain, run_of, why

# How a driver finds a tag: the keys of the contract, in the words of the site file.
_SOURCES: Final = ("address", "node", "signal")
# Names offered where one is not known, and names compared to find them: 3 ms.
_NEAR: Final = 5
_LIKENED: Final = 500
# Bad tags told by name: more makes no line that anybody reads.
_NAMED: Final = 3
# Machines in the status, which is to stay something one can read.
_MACHINES: Final = 100


class View:
    """Reads the agent's parts and changes nothing; every method is quick and does no I/O."""

    def __init__(
        self,
        site: Site,
        engine: Engine,
        drivers: Mapping[str, Driver],
        health: Health,
        journal: Journal,
        clock: Clock,
        status: Callable[[], Status],
    ) -> None:
        self._site = site
        self._engine = engine
        self._drivers = drivers
        self._health = health
        self._journal = journal
        self._clock = clock
        self._status = status
        self._zone = site.zone
        self._started = clock()
        self.past = AlarmsView(site, engine, clock, self._iso)
        self.kpis = KpiView(site, engine, clock, self._iso)
        self.digital = DigitalView(engine, clock, health.down)

    def health(self) -> answers.Health:
        """Whether all lines stand and the journal is fine."""
        problems = self._problems(self._status())
        return answers.Health(ok=not problems, problems=problems)

    def status(self) -> answers.StatusAnswer:
        """Everything at a glance."""
        status = self._status()
        devices = {name: self._device(name, line) for name, line in self._health.devices.items()}
        unnamed = [str(one) for machine in self._engine.machines.values() for one in machine.unnamed.met.values()]
        problems = [*self._problems(status), *_of_tags(devices, self._engine), *unnamed]
        return answers.StatusAnswer(
            agent=self._site.agent.id,
            version=__version__,
            time=self._iso(status.time),
            started=self._iso(self._started),
            ok=not problems,
            problems=problems,
            devices=devices,
            destinations={
                name: answers.Destination(
                    **self._line(line), backlog=status.backlog.get(name, 0), draining=_draining(status, name)
                )
                for name, line in self._health.destinations.items()
            },
            kpis=self.kpis.figures(),
            machines={name: self._machine(one) for name, one in islice(self._engine.machines.items(), _MACHINES)},
            backlog=dict(status.backlog),
            counts=dict(status.counts),
            journal=answers.JournalState(
                ok=not status.journal,
                error=status.journal or None,
                pending=self._journal.pending_records,
                bytes=self._journal.size,
                written_bytes=self._journal.written_bytes,
                written_a_day=self._journal.written_a_day,
            ),
        )

    def tags(self, device: str | None, only_bad: bool, limit: int, offset: int) -> answers.TagPage:
        """`limit` tags from the `offset`th on, of one device or of all."""
        table, quality = self._engine.table, self._engine.ring.latest.quality
        first, last = 0, len(table)
        if device is not None:
            part = table.device_slice(device)
            first, last = part.start, part.stop
        found = np.arange(first, last)
        if only_bad:
            found = found[quality[first:last] >= BAD]
        shown = [table[int(position)] for position in found[offset : offset + limit]]
        return answers.TagPage(
            total=len(found), offset=offset, limit=limit, tags=[answers.TagAnswer(**self._tag(tag)) for tag in shown]
        )

    def tag(self, name: str) -> answers.TagDetail | None:
        """One tag with the reasons behind it; None if there is none of this name."""
        try:
            tag = self._engine.table[self._engine.table.position(name)]
        except KeyError:
            return None
        writing = self.config(tag).writing()
        limits = None
        if writing is not None:
            limits = answers.Limits(
                min=writing.min,
                max=writing.max,
                values=None if writing.values is None else list(writing.values),
                every_s=writing.every / SECOND,
                settle_s=writing.settle / SECOND,
            )
        return answers.TagDetail(
            **self._tag(tag),
            why=why(self._facts(tag)),
            writable=writing is not None and "api" in writing.through,
            limits=limits,
        )

    def near(self, name: str) -> tuple[str, list[str]]:
        """What is wrong with a name that is no tag's, and which may have been meant."""
        if name in self._site.devices:
            tags = self._engine.table.device_tags(name)
            quality = self._engine.ring.latest.quality
            worst = sorted(tags, key=lambda tag: -int(quality[tag.position] >> 6))
            return f"{name} is a device, not a tag", [tag.id for tag in worst[:_NEAR]]
        return f"there is no tag {name}", self._nearest(name)

    def _nearest(self, name: str) -> list[str]:
        """Looked for within one device: likeness to each of ten thousand names would take too long."""
        device, _, rest = name.rpartition(".")
        devices = list(self._site.devices)
        if not device:
            same = [f"{one}.{rest}" for one in devices if rest in self._site.devices[one].tags]
            return same[:_NEAR]
        like = [device] if device in self._site.devices else get_close_matches(device, devices[:_LIKENED], 1)
        names = [tag.name for one in like for tag in self._engine.table.device_tags(one)][:_LIKENED]
        found = get_close_matches(rest, names, _NEAR) or names[:_NEAR]
        return [f"{one}.{tag}" for one in like for tag in found]

    def has_device(self, name: str) -> bool:
        """True for a device of the site file."""
        return name in self._site.devices

    def config(self, tag: Tag) -> TagConfig:
        """What the site file says of a tag."""
        return self._site.tag_config(tag.id)

    def cycles(self, name: str) -> answers.CyclesAnswer:
        """How long the pieces of a machine took, by product."""
        machine = self._engine.machines[name]
        return answers.CyclesAnswer(
            machine=name, products=[self._cycles(machine, product) for product in sorted(machine.cycles.of)]
        )

    def _cycles(self, machine: Machine, product: str) -> answers.ProductCycles:
        held, units = machine.cycles.of[product], machine.units(product)
        since, ideal = machine.ledger.estimates.get(product, (None, None))
        return answers.ProductCycles(
            product=product,
            cycles=held.n,
            median_s=held.quantile(Fraction(1, 2)) / units / SECOND,
            p5_s=held.quantile(FAST) / units / SECOND,
            best_s=held.best / units / SECOND,
            estimate_s=None if ideal is None else float(ideal),
            estimated_since=None if since is None else self._iso(since),
            in_use=ideal is not None and machine.spec.policy.estimates and not machine.is_rated(product),
        )

    # -- parts of the answers ----------------------------------------------------------------

    def _problems(self, status: Status) -> list[str]:
        """Lines that do not stand, then the journal and the audit log."""
        lines = [*self._health.devices.values(), *self._health.destinations.values()]
        now = self._clock()
        problems = [
            f"{line.name}: {'; '.join(line_chain(line, now, self._zone))}"
            for line in lines
            if line.state != "connected"
        ]
        if status.journal:
            problems.append(f"journal: {status.journal}")
        if status.audit:
            problems.append(f"audit log: {status.audit}; nothing is written to equipment until it can be")
        return problems

    def _line(self, line: Line) -> dict[str, Any]:
        return {
            "state": line.state,
            "address": without_password(line.place or " or ".join(line.addresses)),
            "since": self._iso(line.since_ns),
            "error": without_password(line.error) or None,
            "failures": line.failures,
            "next_attempt": self._iso(line.next_ns) if line.next_ns else None,
        }

    def _device(self, name: str, line: Line) -> answers.Device:
        classes = self._engine.ring.latest.quality[self._engine.table.device_slice(name)] >> 6
        good, uncertain, bad = (int(np.count_nonzero(classes == which)) for which in range(3))
        return answers.Device(
            **self._line(line), tags=answers.Qualities(good=good, uncertain=uncertain, bad=bad)
        )

    def _machine(self, machine: Machine) -> answers.MachineAnswer:
        span = machine.shown(self._clock())
        return answers.MachineAnswer(
            state=cast(answers.StateName, span.state.name),
            reason=span.reason or None,
            since=self._iso(span.start),
            source="operator" if span.source else None,
        )

    def _tag(self, tag: Tag) -> dict[str, Any]:
        latest = self._engine.ring.latest
        quality, time = int(latest.quality[tag.position]), int(latest.time[tag.position])
        known = int(self._engine.seen[tag.position])
        return {
            "tag": tag.id,
            "value": plain(tag, float(latest.value[tag.position])),
            "unit": tag.unit,
            "kind": tag.kind.name.lower(),
            "quality": class_name(quality),
            "reason": reason_name(quality) or None,
            "time": None if time == NEVER else self._iso(time),
            "age_s": None if time == NEVER else max(self._clock() - known, 0) / SECOND,
        }

    def _facts(self, tag: Tag) -> Facts:
        latest = self._engine.ring.latest
        quality, time = int(latest.quality[tag.position]), int(latest.time[tag.position])
        since, good_time, good_value = NEVER, NEVER, None
        if time != NEVER and quality >= UNCERTAIN:
            since, good_time, raw = run_of(self._engine.ring, tag.position)
            good_value = plain(tag, raw)
        return Facts(
            tag,
            self._zone,
            self._clock(),
            self._started,
            plain(tag, float(latest.value[tag.position])),
            quality,
            time,
            int(self._engine.seen[tag.position]),
            self._health.devices[tag.device],
            _source(self.config(tag)),
            since,
            good_time,
            good_value,
            tuple(self._drivers[tag.device].why(tag)),
        )

    def _iso(self, t_ns: int) -> str:
        moment = local(t_ns, self._zone)
        return moment.replace(microsecond=t_ns % SECOND // 1000).isoformat(timespec="milliseconds")


def _draining(status: Status, name: str) -> answers.Draining | None:
    return answers.Draining.model_validate(status.draining[name]) if name in status.draining else None


def _of_tags(devices: Mapping[str, answers.Device], engine: Engine) -> Iterator[str]:
    """Devices whose line stands and some of whose tags are bad all the same, and which."""
    for name, device in devices.items():
        if device.state == "connected" and (bad := device.tags.bad):
            number = sum((device.tags.good, device.tags.uncertain, bad))
            classes = engine.ring.latest.quality[engine.table.device_slice(name)] >> 6
            first = np.flatnonzero(classes == BAD >> 6)[:_NAMED]
            names = ", ".join(engine.table.device_tags(name)[position].name for position in first)
            more = f" and {bad - len(first)} more" if bad > len(first) else ""
            yield f"{name}: {bad} of {number} tags without a good value ({names}{more}); edge-agent why TAG tells why"


def _source(config: TagConfig) -> str:
    return next((str(said) for key in _SOURCES if (said := getattr(config, key, None)) is not None), "")


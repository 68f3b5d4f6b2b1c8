"""Lines and areas seen together with their machines: who belongs to whom, and what does not fit."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from edge_agent.config.explain import Found
from edge_agent.config.finding import did_you_mean
from edge_agent.config.line import AreaModel, LineModel
from edge_agent.config.machine import MachineModel
from edge_agent.config.yaml_lines import Key
from edge_agent.core.lineup import Cycles, Serial, Station


def members(lines: Mapping[str, LineModel], machines: Mapping[str, MachineModel]) -> dict[str, tuple[str, ...]]:
    """Line → its machines: those of its stations, else those that name it. Lines that only machines name come last."""
    found: dict[str, list[str]] = {name: line.named() for name, line in lines.items()}
    for name, machine in machines.items():
        if machine.line is not None and name not in found.setdefault(machine.line, []):
            found[machine.line].append(name)
    return {line: tuple(named) for line, named in found.items()}


def line_of(lines: Mapping[str, LineModel], name: str, machine: MachineModel) -> str:
    """The line a machine belongs to: the one it names, or whose station it is; '' if it is in none."""
    return machine.line or next((line for line, model in lines.items() if name in model.named()), "")


def serial(line: LineModel, cycles: Callable[[str], Cycles]) -> Serial | None:
    """The stations with the ideal cycles of their machines; None for machines side by side."""
    if line.stations is None:
        return None
    stations = tuple(Station(tuple(map(cycles, row))) for row in line.stations)
    paced = next((one.name for one in stations if line.constraint in [m.machine for m in one.machines]), "")
    return Serial(stations, paced, line.design_cycle)


@dataclass(frozen=True, slots=True)
class Lineup:
    """What of a file is known well enough to be looked at: sections that are wrong by themselves are left out."""

    machines: Mapping[str, MachineModel]
    lines: Mapping[str, LineModel]
    areas: Mapping[str, AreaModel]
    declared: Sequence[str]
    """ids of all machines of the file, also of those that are wrong"""
    all_lines: Sequence[str]
    """and of all lines"""
    default: bool
    """whether the site has a calendar for lines that name none"""

    def findings(self) -> Iterator[Found]:
        """Everything that does not fit."""
        yield from self._strangers()
        yield from self._twice()
        for name, line in self.lines.items():
            yield from self._line(("lines", name), name, line)
        yield from self._areas()

    def _strangers(self) -> Iterator[Found]:
        """Names of machines and lines that do not exist."""
        for name, line in self.lines.items():
            for at, row in enumerate(line.stations or ()):
                yield from (self._no_machine(("lines", name, "stations", at), one) for one in row if self._lacks(one))
        for name, area in self.areas.items():
            for at, one in enumerate(area.machines):
                if self._lacks(one):
                    yield self._no_machine(("areas", name, "machines", at), one)
            known = self._known_lines()
            for at, one in enumerate(area.lines):
                if one not in known:
                    hint = did_you_mean(one, known, "lines")
                    yield Found(("areas", name, "lines", at), "names no line", hint, one)
        for name, machine in self.machines.items():
            if machine.line and self.all_lines and machine.line not in self.all_lines:
                hint = did_you_mean(machine.line, self.all_lines, "lines")
                yield Found(("machines", name, "line"), "names no line of lines:", hint, machine.line)

    def _lacks(self, machine: str) -> bool:
        return machine not in self.declared

    def _no_machine(self, key: Key, name: str) -> Found:
        return Found(key, "names no machine", did_you_mean(name, self.declared, "machines"), name)

    def _known_lines(self) -> list[str]:
        named = [machine.line for machine in self.machines.values() if machine.line]
        return list(dict.fromkeys([*self.all_lines, *named]))

    def _twice(self) -> Iterator[Found]:
        """A machine is in one line, once; a station's machine may name its line, and no other."""
        taken: dict[str, str] = {}
        for name, line in self.lines.items():
            for at, row in enumerate(line.stations or ()):
                for one in row:
                    key: Key = ("lines", name, "stations", at)
                    if one in taken:
                        where = "twice" if taken[one] == name else f"in line '{taken[one]}', too"
                        yield Found(key, f"is {where}", "a machine is at one place of one line", one)
                    taken.setdefault(one, name)
        for name, machine in self.machines.items():
            own, stated = taken.get(name), machine.line
            if stated is None or own == stated or stated not in self.all_lines:
                continue
            key = ("machines", name, "line")
            if own:
                hint = f"take it out of lines.{own}.stations, or write line: {own}"
                yield Found(key, f"but it is a station of line '{own}'", hint, stated)
            elif stated in self.lines and self.lines[stated].stations is not None:
                hint = f"put it into lines.{stated}.stations at its place"
                yield Found(key, "names a line of which it is no station", hint, stated)

    def _line(self, key: Key, name: str, line: LineModel) -> Iterator[Found]:
        if line.stations is None:
            if self._is_whole and not any(machine.line == name for machine in self.machines.values()):
                hint = f"list its stations: [first, next], or write line: {name} at machines that work side by side"
                yield Found(key, "has no machines", hint)
            for what in ("constraint", "design_cycle"):
                if getattr(line, what) is not None:
                    hint = "machines side by side have none; list the stations: in the order of the flow"
                    yield Found((*key, what), "needs stations", hint)
            return
        if line.calendar is None and not self.default:
            hint = "what the line loses is measured against the planned busy time of its own calendar"
            yield Found((*key, "calendar"), "is missing", hint, role="missing")
        if line.constraint is not None and line.constraint not in line.named():
            hint = did_you_mean(line.constraint, line.named(), "stations")
            yield Found((*key, "constraint"), "is no station of this line", hint, line.constraint)
            return
        if all(one in self.machines for one in line.named()) and line.design_cycle is None:
            made = serial(line, self._cycles)
            yield from () if made is None else self._pace(key, made)

    def _cycles(self, name: str) -> Cycles:
        machine = self.machines[name]
        return Cycles(name, machine.ideal_cycle, {} if machine.job is None else machine.ideals())

    @property
    def _is_whole(self) -> bool:
        """Whether it is known of all machines of the file which line they name: only then it is, which have none."""
        named = [machine.line for machine in self.machines.values() if machine.line]
        return len(self.machines) == len(self.declared) and all(line in self.all_lines for line in named)

    def _pace(self, key: Key, made: Serial) -> Iterator[Found]:
        """What must be known so that pieces that leave the line can be given a design cycle."""
        asked = [station for station in made.stations if made.constraint in ("", station.name)]
        measured = [one.machine for s in asked for one in s.machines if one.every is None and not one.products]
        if measured:
            hint = "give it an ideal_cycle:, name another constraint:, or write a design_cycle:"
            yield Found(key, f"the ideal cycle of {', '.join(measured)} is not given but estimated", hint)
            return
        last = made.stations[-1]
        told = {product for one in last.machines for product in one.products}
        for product in sorted(told):
            if made.pace(product).cycle is None:
                slow = [s.name for s in made.stations if s.ideal(product) is None]
                hint = f"name it in job.products of {slow[0]}, name the constraint:, or write a design_cycle:"
                yield Found(key, f"what is made at its end, '{product}', is not known to {', '.join(slow)}", hint)
        if any(not one.products for one in last.machines) and made.pace("").cycle is None:
            hint = "give it a job:, or the line a design_cycle:"
            yield Found(key, f"the pace depends on the product, which {last.name} at its end does not tell", hint)

    def _areas(self) -> Iterator[Found]:
        belongs = members(self.lines, self.machines)
        taken: dict[str, str] = {}
        for name, area in self.areas.items():
            if not area.lines and not area.machines:
                yield Found(("areas", name), "is empty", "write lines: [line-a], or machines: [press-1]")
            via = {machine: line for line in area.lines for machine in belongs.get(line, ())}
            for group in ("lines", "machines"):
                for at, one in enumerate(getattr(area, group)):
                    key: Key = ("areas", name, group, at)
                    if group == "machines" and one in via:
                        hint = "a line brings its machines along"
                        yield Found(key, f"is counted twice: it is in line '{via[one]}' of this area", hint, one)
                    if (before := taken.get(f"{group}.{one}")) is not None:
                        where = "twice" if before == name else f"in area '{before}', too"
                        yield Found(key, f"is {where}", "it is in one area, once", one)
                    taken.setdefault(f"{group}.{one}", name)

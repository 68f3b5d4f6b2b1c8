"""From the site file to the core: what is rolled up. Lines, areas, and the site if it has more than one machine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from edge_agent.config.fingerprint import scope_hash
from edge_agent.config.lineup import members, serial
from edge_agent.config.plan import Chain
from edge_agent.config.site import Site
from edge_agent.config.specs import machine_specs
from edge_agent.core.lineup import Cycles
from edge_agent.core.machine import MachineSpec
from edge_agent.core.rollup import Scope

SITE: Final = "site"
_SHOWN: Final = 5


def scopes(site: Site, specs: Iterable[MachineSpec]) -> list[Scope]:
    """Lines first, then areas, then the site; `specs` are those of its machines."""
    make = _Maker(site, {spec.id: spec for spec in specs})
    lines = members(site.lines, site.machines)
    made = [make.scope("line", name, machines) for name, machines in lines.items()]
    for name, area in site.areas.items():
        named = [*(machine for line in area.lines for machine in lines[line]), *area.machines]
        made.append(make.scope("area", name, named, area.calendar))
    if len(site.machines) > 1:
        made.append(make.scope(SITE, site.agent.place.site or site.agent.id, list(site.machines)))
    return made


def scope_warnings(site: Site) -> list[str]:
    """What should be known of sums: members that cannot be compared, scopes that have no shifts; a sentence each."""
    said: list[str] = []
    for scope in scopes(site, machine_specs(site, site.tag_table())):
        where = SITE if scope.kind == SITE else f"{scope.kind}s.{scope.id}"
        others = scope.unlike()
        if unlike := [machine for machine in scope.machines if machine in others]:
            shown = ", ".join(unlike[:_SHOWN]) + (f" and {len(unlike) - _SHOWN} more" if len(unlike) > _SHOWN else "")
            said.append(
                f"{where}: {shown} judged by other rules (micro_stop, unknown, outside_plan, no_order_is_planned_stop,"
                " how pieces are counted) than most of its machines: added up, and marked as not comparable"
            )
        if scope.calendar is None and "shift" in site.kpi.windows and any(map(site.calendars_of, scope.machines)):
            hint = "the site needs agent.calendar" if scope.kind == SITE else "give it a calendar:"
            said.append(f"{where}: its machines follow different calendars, so it has no shifts; {hint} to have some")
    return said


class _Maker:
    def __init__(self, site: Site, specs: Mapping[str, MachineSpec]) -> None:
        self._site = site
        self._specs = specs

    def scope(
        self, kind: str, name: str, machines: Sequence[str], calendar: tuple[str, ...] | None = None
    ) -> Scope:
        site = self._site
        line = site.lines.get(name) if kind == "line" else None
        links = site.chain_of(calendar, line) or self._common(machines)
        plan = site.plan_of(links) if links else None
        hashes = {machine: self._specs[machine].config_hash for machine in machines}
        return Scope(
            kind,
            name,
            tuple(machines),
            {machine: self._specs[machine].policy for machine in machines},
            plan,
            site.agent.timezone,
            scope_hash(kind, hashes, line, "" if plan is None else plan.identity),
            site.kpi.min_coverage,
            None if line is None else serial(line, self._cycles),
        )

    def _cycles(self, machine: str) -> Cycles:
        """Products by the name that the ledger gives them."""
        spec = self._specs[machine]
        products = {str(product): ideal for product, ideal in spec.products.items()}
        return Cycles(machine, spec.ideal, products, spec.versions)

    def _common(self, machines: Sequence[str]) -> Chain:
        """The calendars of all of them, if they have the same; what single machines have planned besides apart."""
        found = {tuple(name for name, _ in links): links for links in map(self._site.calendars_of, machines)}
        return next(iter(found.values())) if len(found) == 1 else ()

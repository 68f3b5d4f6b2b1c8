"""From the site file to what a profile may know of the plant beside what it encodes."""

from __future__ import annotations

from edge_agent.api import Scene
from edge_agent.config.lineup import line_of
from edge_agent.config.plant import machine_told
from edge_agent.config.site import Site
from edge_agent.core.tags import TagTable


def scene(site: Site, table: TagTable, version: str, destination: str) -> Scene:
    """For the destination of this id; the site's own area is that of machines that no area names."""
    area_of_line = {line: name for name, area in site.areas.items() for line in area.lines}
    area_of_machine = {machine: name for name, area in site.areas.items() for machine in area.machines}
    machines: dict[str, tuple[str, str]] = {}
    for name, machine in site.machines.items():
        line = line_of(site.lines, name, machine)
        machines[name] = (area_of_machine.get(name) or area_of_line.get(line, ""), line)
    writable = frozenset(
        f"{device}.{name}"
        for device, model in site.devices.items()
        for name, tag in model.tags.items()
        if tag.writing() is not None
    )
    place = site.agent.place.model_dump(exclude_none=True)
    return Scene(
        destination, site.agent.id, version, place, table, machines, _belonging(site), writable, site.kpi.windows,
        site.agent.timezone,
    )


def _belonging(site: Site) -> dict[str, str]:
    drawing: dict[str, set[str]] = {}
    for name, machine in site.machines.items():
        for tag in set().union(*machine_told(machine).values()):
            drawing.setdefault(tag.partition(".")[0], set()).add(name)
    return {device: machines.pop() for device, machines in drawing.items() if len(machines) == 1}

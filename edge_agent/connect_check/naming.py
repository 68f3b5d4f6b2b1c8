"""Whether what the tags say names a state, and a product, of the machines that ask them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from edge_agent.connect_check.row import TagRow
from edge_agent.core.judges import RolesJudge
from edge_agent.core.machine import MachineSpec, key_of
from edge_agent.core.models import UNMAPPED
from edge_agent.core.quality import UNCERTAIN
from edge_agent.core.tags import Tag
from edge_agent.core.unnamed import Unnamed


def note_unnamed(rows: Sequence[TagRow], machines: Iterable[MachineSpec]) -> None:
    """Note in each row of which machines its value should name a state or product, and does not."""
    values = {
        row.tag.position: key_of(row.tag, row.raw)
        for row in rows
        if row.quality is not None and row.quality < UNCERTAIN and row.raw == row.raw
    }
    found = [one for spec in machines for one in _of_machine(spec, values)]
    for row in rows:
        row.unnamed = [one for one in found if one.tag.position == row.tag.position]


def _of_machine(spec: MachineSpec, values: dict[int, int | str]) -> Iterator[Unnamed]:
    for source in spec.state_sources():
        told: dict[str, Tag] = {role: tag for role, tag in source.inputs.items() if tag.position in values}
        # What is judged over time, such as a lamp that blinks, one sample cannot tell.
        if isinstance(source.judge, RolesJudge) and not source.judge.watches:
            meaning = source.judge.model.meaning({role: values[tag.position] for role, tag in told.items()})
            if meaning.reason == UNMAPPED:
                yield from (Unnamed(spec.id, "state", tag, values[tag.position]) for tag in told.values())
    product = None if spec.job is None else values.get(spec.job.position)
    if spec.job is not None and product is not None and product not in spec.products:
        yield Unnamed(spec.id, "product", spec.job, product)

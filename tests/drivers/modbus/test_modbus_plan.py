"""The planner: fewest requests, nothing split, nothing forgotten."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.api import Tag
from edge_agent_modbus import plugin
from edge_agent_modbus.address import Area
from edge_agent_modbus.plan import Block, Caps, Field, halves, plan
from edge_agent_modbus.value import TYPES


def field(slot: int, area: Area, start: int, count: int) -> Field:
    return Field(slot, area, start, 1 if area.is_bits else count, TYPES["uint16"])


places = st.tuples(st.sampled_from(Area), st.integers(0, 400), st.sampled_from([1, 1, 2, 4, 8]))
fields = st.lists(places, max_size=40).map(lambda all_: [field(n, *place) for n, place in enumerate(all_)])
caps = st.builds(Caps, st.integers(8, 125), st.integers(1, 2000), st.integers(0, 125))


def fewest(members: list[Field], cap: int, gap: int) -> int:
    """By trying every way to cut the sorted fields: what the planner must reach."""
    members = sorted(members, key=lambda f: (f.start, f.count))
    best = [0] + [len(members)] * len(members)
    for last in range(1, len(members) + 1):
        for first in range(last):
            run = members[first:last]
            ends = [max(f.end for f in run[: n + 1]) for n in range(len(run))]
            fits = ends[-1] - run[0].start <= cap
            if fits and all(f.start - end <= gap for end, f in zip(ends, run[1:], strict=False)):
                best[last] = min(best[last], best[first] + 1)
    return best[-1]


@given(fields, caps)
def test_every_tag_lies_whole_in_exactly_one_block(all_: list[Field], within: Caps) -> None:
    blocks = plan(all_, within)
    assert sorted(f.slot for block in blocks for f in block.fields) == list(range(len(all_)))
    for block in blocks:
        for member in block.fields:
            assert member.area is block.area
            assert block.start <= member.start
            assert member.end <= block.start + block.count
        assert block.start == block.fields[0].start
        assert block.count <= (within.max_bits if block.area.is_bits else within.max_registers)


@given(fields, caps)
def test_no_gap_in_a_block_is_wider_than_allowed(all_: list[Field], within: Caps) -> None:
    for block in plan(all_, within):
        covered = sorted({n for f in block.fields for n in range(f.start, f.end)})
        widest = max((b - a - 1 for a, b in pairwise(covered)), default=0)
        assert widest <= (16 * within.gap if block.area.is_bits else within.gap)


@given(fields, caps)
def test_there_are_as_few_blocks_as_possible(all_: list[Field], within: Caps) -> None:
    for area in Area:
        members = [f for f in all_ if f.area is area]
        cap, gap = (within.max_bits, 16 * within.gap) if area.is_bits else (within.max_registers, within.gap)
        assert len(plan(members, within)) == fewest(members, cap, gap)


@given(fields, caps, st.randoms())
def test_the_plan_does_not_depend_on_the_order_of_the_tags(
    all_: list[Field], within: Caps, random: object
) -> None:
    shuffled = list(all_)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert plan(all_, within) == plan(shuffled, within)


@given(fields.filter(bool))
def test_halving_ends_at_single_places_and_loses_nothing(all_: list[Field]) -> None:
    pending, single = plan(all_, Caps()), []
    while pending:
        block = pending.pop()
        parts = halves(block)
        assert all(len(part.fields) < len(block.fields) for part in parts)
        pending += parts
        single += [] if parts else [block]
    assert sorted(f.slot for block in single for f in block.fields) == list(range(len(all_)))
    assert all(len({(f.start, f.count) for f in block.fields}) == 1 for block in single)


def test_two_bits_of_one_register_are_one_register() -> None:
    assert plan([field(0, Area.HOLDING, 5, 1), field(1, Area.HOLDING, 5, 1)], Caps())[0].count == 1


def test_a_value_at_the_cap_starts_a_new_block_rather_than_be_split() -> None:
    blocks = plan([field(n, Area.HOLDING, 2 * n, 2) for n in range(63)], Caps())
    assert [(b.start, b.count) for b in blocks] == [(0, 124), (124, 2)]


def test_the_bytes_of_an_answer() -> None:
    assert Block(Area.COIL, 0, 9, ()).size == 2
    assert Block(Area.INPUT, 0, 9, ()).size == 18


def test_describe_prints_a_line_for_each_request() -> None:
    config = plugin.config.model_validate(
        {
            "driver": "modbus",
            "url": "modbus+tcp://10.0.0.5",
            "tags": {
                "a": {"address": "holding:0", "type": "float32"},
                "b": {"address": "holding:60", "type": "uint32"},
                "c": {"address": "coil:3"},
                "d": {"address": "holding:200", "poll": "500ms"},
            },
        }
    )
    tags = [Tag(n, "d", name, config.tags[name].kind()) for n, name in enumerate(config.tags)]
    assert plugin.describe("d", config, tags) == [
        "every 0.5s: read holding 200 (1 register) for 1 tag",
        "every 1s: read coil 3 (1 bit) for 1 tag",
        "every 1s: read holding 0..61 (62 registers) for 2 tags",
    ]

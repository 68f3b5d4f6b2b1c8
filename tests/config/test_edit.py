"""Changes of a site file's text: what was wanted is there, and all else is as people wrote it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.config.edit import CannotEdit, become, put, take
from edge_agent.config.yaml_lines import parse

SITE = """\
# the gateway in hall 3
agent: {id: gw-01, timezone: Asia/Shanghai}   # one a hall

devices:
  # the old press
  press-1:
    driver: modbus
    url: "modbus+tcp://10.0.0.5:502?unit=1"
    poll: 1s      # not faster: its PLC is slow
    tags:
      state: {address: "holding:0"}      # 0 idle, 1 run
      total: {address: "holding:1", type: uint32}
      # scrap is not wired yet

  cnc-7:
    driver: opcua
    url: opc.tcp://10.0.0.7:4840
    tags: {}

machines:

calendars:
  two-shift:
    shifts:
      day: {days: mon-fri, start: "06:00", end: "14:00"}
    exceptions: {2026-10-01: off, 2026-10-10: workday}
"""


def lines_without(text: str, other: str) -> list[str]:
    """Lines of `text` that are not in `other`."""
    rest = other.splitlines()
    return [line for line in text.splitlines() if line not in rest]


def test_a_tag_is_added_in_one_line_behind_the_others_and_their_comments() -> None:
    changed = put(
        SITE, ("devices", "press-1", "tags", "scrap"), {"address": "holding:3", "type": "uint32", "order": "CDAB"}
    )
    assert lines_without(changed, SITE) == ['      scrap: {address: "holding:3", type: uint32, order: CDAB}']
    assert lines_without(SITE, changed) == []
    assert changed.index("scrap is not wired") < changed.index("scrap: {") < changed.index("cnc-7")


def test_a_device_is_added_line_by_line_and_its_tags_a_line_each() -> None:
    changed = put(
        SITE,
        ("devices", "meter"),
        {"driver": "modbus", "url": "modbus+rtu:///dev/ttyUSB0", "tags": {"kwh": {"address": "input:2"}}},
    )
    assert lines_without(changed, SITE) == [
        "  meter:", '    url: "modbus+rtu:///dev/ttyUSB0"', '      kwh: {address: "input:2"}',
    ]  # fmt: skip
    assert parse(changed).data["devices"]["meter"]["tags"]["kwh"] == {"address": "input:2"}


def test_what_is_empty_is_filled() -> None:
    changed = put(SITE, ("devices", "cnc-7", "tags", "load"), {"node": "nsu=http://a/;s=L", "range": [0, 120.5]})
    changed = put(
        changed, ("machines", "cnc-7"), {"state": {"tag": "cnc-7.state", "map": {"0": "IDLE", "true": "RUN"}}}
    )
    assert parse(changed).data["devices"]["cnc-7"]["tags"] == {
        "load": {"node": "nsu=http://a/;s=L", "range": [0, 120.5]}
    }
    assert "machines:\n  cnc-7:\n    state: {tag: cnc-7.state, map: {0: IDLE, true: RUN}}\n" in changed
    assert "# not faster" in changed


def test_a_group_that_is_not_there_stands_at_the_end() -> None:
    changed = put(SITE, ("lines", "line-a"), {"machines": ["press-1"]})
    assert changed == SITE + "\nlines:\n  line-a:\n    machines: [press-1]\n"


def test_a_value_is_exchanged_and_the_comment_behind_it_stays() -> None:
    changed = put(SITE, ("devices", "press-1", "poll"), "500ms")
    assert "    poll: 500ms      # not faster: its PLC is slow\n" in changed
    changed = put(changed, ("agent", "language"), "zh")
    assert "agent: {id: gw-01, timezone: Asia/Shanghai, language: zh}   # one a hall\n" in changed


def test_texts_that_would_read_as_something_else_are_quoted() -> None:
    changed = put(
        SITE, ("calendars", "two-shift", "shifts", "night"), {"days": "sat", "start": "22:00", "end": "06:00"}
    )
    changed = put(changed, ("calendars", "two-shift", "exceptions", "2026-12-24"), "off")
    changed = put(changed, ("agent", "note"), "12")
    assert 'night: {days: sat, start: "22:00", end: "06:00"}' in changed
    assert parse(changed).data["agent"]["note"] == "12"
    assert parse(changed).data["calendars"]["two-shift"]["exceptions"]["2026-12-24"] == "off"


def test_what_is_taken_out_leaves_no_gap_and_no_comma() -> None:
    changed = take(SITE, ("devices", "press-1"))
    assert "press-1" not in changed
    assert "# the gateway in hall 3" in changed
    assert take(SITE, ("agent", "id")).splitlines()[1] == "agent: {timezone: Asia/Shanghai}   # one a hall"
    assert "{id: gw-01}" in take(SITE, ("agent", "timezone"))
    assert take(SITE, ("devices", "press-1", "tags", "scrap")) == SITE
    assert parse(take(take(SITE, ("devices", "press-1")), ("devices", "cnc-7"))).data["devices"] == {}


def test_a_mapping_is_changed_only_where_it_differs() -> None:
    wanted: dict[str, Any] = parse(SITE).data["devices"]["press-1"]
    wanted = {**wanted, "poll": "2s", "tags": {"state": {"address": "holding:9"}}}
    changed = become(SITE, ("devices", "press-1"), wanted)
    assert parse(changed).data["devices"]["press-1"] == wanted
    assert '      state: {address: "holding:9"}      # 0 idle, 1 run\n' in changed
    assert "# the old press" in changed
    assert become(SITE, ("devices", "press-1"), parse(SITE).data["devices"]["press-1"]) == SITE


def test_windows_line_ends_stay() -> None:
    changed = put(SITE.replace("\n", "\r\n"), ("devices", "press-1", "tags", "x"), {"address": "coil:1"})
    assert "\n" not in changed.replace("\r\n", "")


@pytest.mark.parametrize(
    "text",
    [
        "base: &b {x: 1}\ndevices:\n  a: *b\n",
        "base: &b\n  tags: {x: 1}\ndevices:\n  a:\n    <<: *b\n    driver: modbus\n",
        "devices: [1, 2]\n",
        "devices: {a: 1\n",
    ],
)
def test_what_only_a_person_can_change_is_left_alone(text: str) -> None:
    with pytest.raises(CannotEdit):
        put(text, ("devices", "a", "tags", "y"), 2)


def test_an_empty_file_gets_its_first_section() -> None:
    assert put("", ("agent", "id"), "gw") == "agent:\n  id: gw\n"
    assert put("# mine\n", ("agent", "id"), "gw") == "# mine\n\nagent:\n  id: gw\n"


# Anchors are for people.
SAMPLES = [
    path
    for path in sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))
    if ": &" not in path.read_text("utf-8")
]
VALUES = st.recursive(
    st.text(max_size=20)
    | st.integers(-5, 10**12)
    | st.booleans()
    | st.sampled_from(["off", "06:00", "1e3", "0x1F", "~", "null", "#a", "a: b"]),
    lambda inner: st.dictionaries(st.sampled_from("abcde"), inner, max_size=3) | st.lists(inner, max_size=3),
    max_leaves=8,
)


@given(sample=st.sampled_from(SAMPLES), value=VALUES, data=st.data())
def test_whatever_is_put_anywhere_is_there_and_comments_stay(sample: Path, value: Any, data: st.DataObject) -> None:
    text = sample.read_text("utf-8")
    document = parse(text)
    ways = [key for key in document.key_lines if key and all(isinstance(part, str) for part in key)]
    key = data.draw(st.sampled_from(ways))
    if data.draw(st.booleans()):
        key = (*key[:-1], "fresh")
    changed = put(text, key, value)
    found = parse(changed).data
    for part in key:
        found = found[part]
    assert found == value
    # Comments within what was exchanged go with it; all others stay, in their order.
    kept = [line for line in changed.splitlines() if line.lstrip().startswith("#")]
    left = iter(line for line in text.splitlines() if line.lstrip().startswith("#"))
    assert all(line in left for line in kept)
    assert take(changed, (*key, "never")) == changed

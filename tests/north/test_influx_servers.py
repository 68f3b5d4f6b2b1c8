"""Everything the profile says, into real engines and back: types, names, texts, times, partial writes, repetition."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edge_agent.api import AccessDenied, Message, Rejected
from edge_agent.config.destination import with_profile
from edge_agent.core.quality import GOOD
from edge_agent.core.report import Samples
from edge_agent.encode.line_protocol import LineProtocolProfile
from edge_agent.north.influx import plugin
from edge_agent.north.influx_link import InfluxLink
from edge_agent.platforms import line_protocol
from tests.encode.line_protocol_reader import Field, Point, read
from tests.encode.scene import KINDS, NAMES, SCENE, T0, S, batch, told
from tests.peers.influx_v1 import INFLUXD, TOKEN, InfluxV1
from tests.peers.victoria_metrics import VICTORIA, VictoriaMetrics

PROFILE = LineProtocolProfile("edge/gw-01", SCENE)
influxdb = pytest.mark.skipif(INFLUXD is None, reason="influxd is not installed")
victoriametrics = pytest.mark.skipif(VICTORIA is None, reason="victoria-metrics is not installed")
pytestmark = pytest.mark.peer


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[InfluxV1]:
    with InfluxV1(tmp_path) as running:
        yield running


@pytest.fixture
def victoria(tmp_path: Path) -> Iterator[VictoriaMetrics]:
    with VictoriaMetrics(tmp_path) as running:
        yield running


async def linked(url: str, **keys: Any) -> InfluxLink:
    said = {"type": "influxdb", "url": url, "org": "acme", "bucket": "plant", "token": TOKEN, **keys}
    config = with_profile(plugin, line_protocol.plugin).model_validate(said)
    return await plugin.build("history", config, "gw-01", PROFILE).connect()  # type: ignore[return-value]


def everything() -> list[Message]:
    return [message for name, messages in told(PROFILE) if name != "will" for message in messages]


def merged(points: list[Point]) -> dict[tuple[Any, int | None], dict[str, Field]]:
    """As a database has them: of one series and time the fields of all, the later replacing the earlier."""
    found: dict[tuple[Any, int | None], dict[str, Field]] = {}
    for point in points:
        found.setdefault((point.series, point.time), {}).update(point.fields)
    return found


def stored(engine: InfluxV1) -> dict[tuple[Any, int | None], dict[str, Field]]:
    found: dict[tuple[Any, int | None], dict[str, Field]] = {}
    for series in engine.ask("SELECT * FROM /.*/ GROUP BY *"):
        tags = tuple(sorted((name, value) for name, value in series["tags"].items() if value))
        for row in series["values"]:
            fields = {name: value for name, value in zip(series["columns"], row, strict=True) if value is not None}
            found[(series["name"], tags), fields.pop("time")] = fields
    return found


@influxdb
async def test_influxdb_gives_back_every_field_of_everything_that_is_told(engine: InfluxV1) -> None:
    link = await linked(engine.url)
    for _ in range(2):      # sent twice, stored once
        await link.send(everything())
    await link.close()
    wanted = merged([point for message in everything() for point in read(message.payload)])
    assert stored(engine) == wanted
    kinds = {
        (series["name"], name): kind
        for series in engine.ask("SHOW FIELD KEYS")
        for name, kind in series["values"]
    }
    names = {int: "integer", float: "float", bool: "boolean", str: "string"}
    for (series, _), fields in wanted.items():
        for name, value in fields.items():
            assert kinds[series[0], name] == names[type(value)]


@influxdb
async def test_influxdb_gives_back_odd_values_to_the_bit(engine: InfluxV1) -> None:
    values = [0.1, -0.0, 1e22, 1.7976931348623157e308, 5e-324, -1e-7, 123456789.123456789, 2.0**53, 1e16, 1e15]
    samples = [(0, T0 + at, value, GOOD) for at, value in enumerate(values)]
    samples += [(1, T0 + at, value, GOOD) for at, value in enumerate([0.0, -1.0, 2.0**53, -(2.0**62), 2.0**63])]
    texts = {3: {0: 'say "so"', 1: "C:\\temp\\", 2: "a,b =c", 3: "程序\n7", 4: ""}}
    samples += [(3, T0 + at, float(at), GOOD) for at in range(5)]
    link = await linked(engine.url)
    await link.send(PROFILE.samples(Samples(1, "press-1", NAMES, KINDS, batch(*samples), texts)))
    await link.close()
    rows = engine.rows('SELECT * FROM "press-1"')
    assert [row["temp"] for row in rows] == values
    assert [row["total"] for row in rows if "total" in row] == [0, -1, 2**53, -(2**62)]
    assert [float(row["total.float"]) for row in rows if "total.float" in row] == [2.0**63]
    assert [row["program"] for row in rows if "program" in row] == ['say "so"', "C:\\temp\\", "a,b =c", "程序\\n7", ""]


@influxdb
async def test_two_samples_of_one_instant_are_both_there(engine: InfluxV1) -> None:
    link = await linked(engine.url)
    twice = batch((0, T0, 1.0, GOOD), (1, T0, 5.0, GOOD), (0, T0, 2.0, GOOD), (0, T0 + 1, 3.0, GOOD))
    await link.send(PROFILE.samples(Samples(1, "press-1", NAMES, KINDS, twice)))
    await link.close()
    rows = engine.rows('SELECT temp, total FROM "press-1"')
    assert [(row["time"] - T0, row["temp"]) for row in rows] == [(0, 1.0), (1, 2.0), (2, 3.0)]


@influxdb
async def test_a_tag_that_changes_its_type_costs_influxdb_nothing_else(engine: InfluxV1) -> None:
    link = await linked(engine.url)
    await link.send([Message("t", b"press-1 a=1i,b=1.0 1\nother x=1i 1")])
    changed = "\n".join(f"press-1 a={n}.5,b={n}.0 {n}\nother x={n}i {n}" for n in range(2, 400))
    with pytest.raises(Rejected) as caught:
        await link.send([Message("t", changed.encode())])
    await link.close()
    assert "type conflict" in caught.value.reasons[0]
    assert caught.value.parts[0] == "\n".join(f"press-1 a={n}.5 {n}" for n in range(2, 400)).encode()
    assert engine.rows('SELECT count(b), count(a) FROM "press-1"') == [{"time": 0, "count": 399, "count_1": 1}]
    assert engine.rows('SELECT count(x) FROM "other"') == [{"time": 0, "count": 399}]


@influxdb
async def test_points_older_than_influxdb_keeps_are_refused_and_the_others_stored(engine: InfluxV1) -> None:
    engine.ask("ALTER RETENTION POLICY autogen ON plant DURATION 24h SHARD DURATION 1h")
    now = time.time_ns()
    link = await linked(engine.url)
    old, new = [now - 3 * 86400 * S + n for n in range(50)], [now - n for n in range(50)]
    both = [at for pair in zip(old, new, strict=True) for at in pair]
    with pytest.raises(Rejected) as caught:
        await link.send([Message("t", "\n".join(f"m x=1.0 {at}" for at in both).encode())])
    await link.close()
    assert "retention" in caught.value.reasons[0]
    assert [int(line.split()[-1]) for line in caught.value.parts[0].split(b"\n")] == old
    assert engine.rows("SELECT count(x) FROM m")[0]["count"] == 50


@influxdb
async def test_lines_that_are_none_are_found_among_those_that_are(engine: InfluxV1) -> None:
    link = await linked(engine.url)
    lines = [f"m x={n}.0 {n}" for n in range(100)]
    lines[17] = lines[60] = "nonsense"
    with pytest.raises(Rejected) as caught:
        await link.send([Message("t", "\n".join(lines).encode())])
    await link.close()
    assert caught.value.parts == {0: b"nonsense\nnonsense"}
    assert engine.rows("SELECT count(x) FROM m")[0]["count"] == 98


@influxdb
async def test_a_database_that_is_not_there_holds_everything(engine: InfluxV1) -> None:
    with pytest.raises(AccessDenied, match="database not found"):
        await linked(engine.url, bucket="other")


@victoriametrics
async def test_victoriametrics_gives_back_every_number_of_everything_that_is_told(victoria: VictoriaMetrics) -> None:
    """It passes over lines it cannot read without a word: that all of them are there shows that it can. It keeps
    twelve digits."""
    profile = LineProtocolProfile("edge/gw-01", SCENE, "ms")
    messages = [message for name, said in told(profile) if name not in ("will", "goodbye") for message in said]
    link = await linked(victoria.url, precision="ms")
    for _ in range(2):
        await link.send(messages)
    await link.close()
    wanted: dict[str, list[tuple[int | None, float]]] = {}
    for ((name, _), at), fields in merged([point for one in messages for point in read(one.payload)]).items():
        for field, value in fields.items():
            number = 0.0 if isinstance(value, str) else float(f"{value:.11g}")
            wanted.setdefault(f"{name}_{field}", []).append((at, number))
    samples = victoria.samples('{__name__!=""}')
    found = {name: sorted((at, float(f"{value:.11g}")) for at, value in samples.get(name, ())) for name in wanted}
    assert found == {name: sorted(values, key=str) for name, values in wanted.items()}

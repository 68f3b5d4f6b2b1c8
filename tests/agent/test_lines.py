"""A line as users have it: two machines on a Modbus PLC, records of machines, line and site over MQTT and HTTP."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.peers.waiting import free_port, wait_for

PLC = Path(__file__).parents[1] / "peers" / "plc.py"
SITE = """
agent: {{id: gw-1, place: {{site: suzhou}}, data_dir: "{folder}/data"}}
api: {{listen: "127.0.0.1:{api}"}}
devices:
  plc:
    driver: modbus
    url: "modbus+tcp://127.0.0.1:{plc}?unit=1"
    poll: 200ms
    tags: {{s1: "holding:0", n1: "holding:1", b1: "holding:2", s2: "holding:3", n2: "holding:4", b2: "holding:5"}}
machines:
  cut:
    state: {{tag: plc.s1, map: {{0: IDLE, 1: RUN}}}}
    counts: {{total: plc.n1, scrap: plc.b1}}
    counter: {{max_rate: 1000}}
    ideal_cycle: 100ms
  weld:
    state: {{tag: plc.s2, map: {{0: IDLE, 1: RUN}}}}
    counts: {{total: plc.n2, scrap: plc.b2}}
    counter: {{max_rate: 1000}}
    ideal_cycle: 200ms
    micro_stop: 1min
lines: {{flow: {{stations: [cut, weld], calendar: c}}}}
areas: {{east: {{lines: [flow]}}}}
calendars: {{c: {{shifts: {{now: {{start: "{start}", end: "{end}"}}}}}}}}
publish: {{broker: {{type: mqtt, url: "mqtt://127.0.0.1:{broker}"}}}}
journal: {{flush: 100ms}}
kpi: {{every: 300ms, windows: [shift], watermark: 1s}}
"""


class Plc:
    """A Modbus server in a process of its own."""

    def __init__(self) -> None:
        self.port = free_port()
        pipe = subprocess.PIPE
        command = [sys.executable, str(PLC), str(self.port)]
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
        assert self.process.stdout
        assert self.process.stdout.readline().strip() == "ready"

    def set(self, *registers: int) -> None:
        assert self.process.stdin
        self.process.stdin.write(f"0 {' '.join(map(str, registers))}\n")
        self.process.stdin.flush()


@pytest.fixture
def plc() -> Iterator[Plc]:
    held = Plc()
    yield held
    held.process.kill()
    held.process.communicate()


def asked(api: int, path: str) -> Any:
    with urllib.request.urlopen(f"http://127.0.0.1:{api}/api/v1/{path}", timeout=5) as answer:
        return json.load(answer)


def refused(api: int, path: str) -> tuple[int, Any]:
    with pytest.raises(urllib.error.HTTPError) as error:
        asked(api, path)
    with error.value as answer:
        return answer.code, json.load(answer)


def test_a_line_is_told_live_and_at_last_beside_its_machines_over_mqtt_and_http(
    tmp_path: Path, plc: Plc, broker: Any, listener: Any, start_agent: Callable[[str], Any]
) -> None:
    now, api = datetime.now(UTC), free_port()
    start, end = now - timedelta(seconds=60), now + timedelta(seconds=35)
    plc.set(1, 0, 0, 1, 0, 0)
    start_agent(SITE.format(
        folder=tmp_path, plc=plc.port, broker=broker.port, api=api, start=f"{start:%H:%M:%S}", end=f"{end:%H:%M:%S}",
    ))  # fmt: skip
    wait_for(lambda: listener.on("line/flow/kpi/shift"), 20, "the line's first record")
    plc.set(1, 30, 3, 1, 20, 1)

    def told() -> Any:
        return next((one for one in listener.on("line/flow/kpi/shift") if one["counts"]["good"] == 19), None)

    line = wait_for(told, 15, "what has left the line")
    assert (line["scope"], line["line"], line["final"], line["constraint"]) == ("line", "flow", False, "weld")
    assert line["counts"] == {"entered": 30, "good": 19}
    assert line["kpi"]["line_oee"] == pytest.approx(19 * 0.2 / line["time_s"]["pbt"])
    assert line["kpi"]["line_quality_rty"] == pytest.approx(27 / 30 * 19 / 20)
    assert line["stations"][1]["fall_off_ratio"] == pytest.approx(1 / 30)
    assert "NOT_COMPARABLE" in line["flags"]

    shown = asked(api, "lines/flow/kpi?window=shift")
    assert shown["counts"] == line["counts"]
    assert asked(api, "machines/cut/kpi?window=shift")["counts"]["pq"] == 30
    assert asked(api, "areas/east/kpi")["machines"] == 2
    assert asked(api, "site/kpi")["counts"]["gq"] == 27 + 19
    [row] = asked(api, "lines")["rows"]
    assert (row["id"], row["serial"], row["machines"], row["name"]) == ("flow", True, ["cut", "weld"], "now")
    machines = {one["id"]: one for one in asked(api, "machines")["machines"]}
    assert {name: (one["state"], one["line"]) for name, one in machines.items()} == {
        "cut": ("RUN", "flow"), "weld": ("RUN", "flow"),
    }  # fmt: skip
    printed = subprocess.run(
        [sys.executable, "-m", "edge_agent.cli", "status", "--url", f"http://127.0.0.1:{api}"],
        capture_output=True, text=True,
    ).stdout  # fmt: skip
    shown = next(row for row in printed.splitlines() if row.startswith("line "))
    assert shown.split()[1:4] == ["flow", "shift", "now"]

    assert refused(api, "lines/flaw/kpi") == (404, {"error": "there is no line flaw", "near": ["flow"]})
    code, said = refused(api, "lines/flow/kpi?window=year")
    assert (code, said["error"]) == (422, "window: 'year' is not reported; one of shift (kpi.windows)")

    final = wait_for(lambda: next((one for one in listener.on("line/flow/kpi/shift") if one["final"]), None), 60, "end")
    machines = {
        name: next(one for one in listener.on(f"gw-1/{name}/kpi/shift") if one["final"]) for name in ("cut", "weld")
    }
    assert final["counts"] == {"entered": machines["cut"]["counts"]["pq"], "good": machines["weld"]["counts"]["gq"]}
    assert final["kpi"]["constraint_oee"] == machines["weld"]["kpi"]["oee"]
    site = wait_for(lambda: next((o for o in listener.on("site/suzhou/kpi/shift") if o["final"]), None), 10, "the site")
    for name in ("apt", "pbt", "unk"):
        assert site["time_s"][name] == pytest.approx(sum(one["time_s"][name] for one in machines.values()))
    assert site["kpi"]["oee"] == pytest.approx(site["ideal_s"]["igt"] / site["time_s"]["pbt"])
    assert asked(api, "lines/flow/kpi?final=true")["final"]
    code, said = refused(api, "lines/flow/kpi")
    assert (code, said["error"].startswith("no shift is open now")) == (404, True)

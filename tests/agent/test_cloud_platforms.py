"""The whole agent on each cloud platform: samples, states, KPIs and indices arrive in its form, and a goodbye."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from edge_agent import agent, registry
from edge_agent.config import load
from tests.encode.cloud_profiles import KEYS, PLUGINS
from tests.peers.certificates import Authority
from tests.peers.cloud import Application, Gate, Who
from tests.peers.mosquitto import MOSQUITTO, Mosquitto
from tests.peers.no_api import without_api
from tests.peers.waiting import free_port, wait_for

pytestmark = [pytest.mark.peer, pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed")]

SITE = """
agent: {{id: gw-01, place: {{enterprise: acme}}, timezone: UTC, data_dir: data}}
devices:
  press-1:
    driver: simulated
    url: simulated://
    poll: 100ms
    tags:
      state: {{signal: constant, value: 1}}
      total: {{signal: counter, every: 200ms}}
      scrap: {{signal: counter, every: 9s}}
machines:
  press-1:
    state: {{tag: press-1.state, map: {{0: IDLE, 1: RUN}}}}
    counts: {{total: press-1.total, scrap: press-1.scrap}}
    ideal_cycle: 200ms
publish:
  cloud: {keys}
kpi: {{every: 500ms, windows: [hour]}}
journal: {{flush: 100ms}}
"""


def agree(topic: str, payload: bytes) -> Iterable[tuple[str, bytes]]:
    """What each platform answers when all is well."""
    said = orjson.loads(payload) if payload.startswith(b"{") else {}
    if topic.startswith(("/sys/", "/ext/")) and not topic.endswith("_reply"):
        yield f"{topic}_reply", orjson.dumps({"id": said["id"], "code": 200, "data": {}})
    elif topic.endswith("/sys/events/up"):
        yield topic.replace("/up", "/down"), orjson.dumps({"services": [{**said["services"][0], "paras": {}}]})
    elif topic.startswith("$gateway/"):
        devices = [{**one, "result": 0} for one in said["payload"]["devices"]]
        result = {"type": said["type"], "payload": {"devices": devices}}
        yield topic.replace("operation/", "operation/result/"), orjson.dumps(result)
    elif topic.startswith("$thing/up/") and said.get("method") in ("report", "event_post"):
        method = f"{said['method'].removesuffix('_post')}_reply"
        reply = {"method": method, "clientToken": said["clientToken"], "code": 0}
        yield topic.replace("/up/", "/down/"), orjson.dumps(reply)


def keys_of(name: str, url: str, **more: Any) -> str:
    keys = {**KEYS[name], "type": "mqtt", "url": url, "profile": name, **more}
    if "sub_devices" in keys:
        keys["sub_devices"] = {"press-1": keys["sub_devices"]["press-1"]}
    return yaml.safe_dump(keys, default_flow_style=True, width=1000).strip()


async def run_until(folder: Path, keys: str, what: Callable[[], object]) -> None:
    """The agent, until `what` is true or half a minute is over, and then stopped in good manners."""
    path = folder / "site.yaml"
    path.write_text(without_api(SITE.format(keys=keys)))
    drivers, publishers = registry.drivers(), registry.publishers()
    stop = asyncio.Event()
    parts = await agent.build(load(path, drivers, publishers, profiles=registry.profiles()), drivers, publishers)
    task = asyncio.create_task(agent.run(parts, stop))
    for _ in range(600):
        if what() or task.done():
            break
        await asyncio.sleep(0.05)
    stop.set()
    await task
    assert what()


WANTED = {
    "huawei-iotda": (b'"total":', b'"machine_state":"RUN"', b'"oee_hour":', b'"connected":true', b'"ONLINE"'),
    "aliyun-iot": (b'"total":{', b'"machine_state":{', b'"oee_hour":{', b'"connected":{', b'"deviceList"'),
    "tencent-iot": (b'"total":', b'"machine_state":"RUN"', b'"oee_hour":', b'"connected":1', b'"type":"online"'),
    "azure-iothub": (b'"total":', b'"state":"RUN"', b'"kind":"hour"', b'"online":true', b'"indices"'),
}
GOODBYE = {
    "huawei-iotda": b'"OFFLINE"', "aliyun-iot": b'"combine.batch_logout"', "tencent-iot": b'"offline"',
    "azure-iothub": b'"online":false',
}  # fmt: skip


@pytest.mark.parametrize("name", WANTED)
async def test_the_platform_hears_all_of_it(tmp_path: Path, name: str) -> None:
    def admit(who: Who) -> bool:
        return who.will is (name == "azure-iothub")     # no other platform knows a will

    with Mosquitto(tmp_path) as broker, Application(broker.port, agree) as there:
        async with Gate(broker.port, admit) as gate:

            def all_there() -> bool:
                heard = b"\n".join(payload for _, payload in list(there.heard))
                return all(one in heard for one in WANTED[name])

            await run_until(tmp_path, keys_of(name, f"mqtt://127.0.0.1:{gate.port}"), all_there)
            for _ in range(100):
                if any(GOODBYE[name] in payload for _, payload in list(there.heard)):
                    break
                await asyncio.sleep(0.05)
            assert any(GOODBYE[name] in payload for _, payload in there.heard)
        assert not gate.refused


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


async def test_aws_knows_us_by_our_certificate(tmp_path: Path) -> None:
    ours = Authority(tmp_path, "our-ca")
    cert, key = ours.issue("broker")
    mine, my_key = ours.issue("gw-01")
    plain = free_port()
    lines = [
        f"cafile {ours.ca}", f"certfile {cert}", f"keyfile {key}", "require_certificate true",
        "use_identity_as_username true", f"listener {plain} 127.0.0.1", "allow_anonymous true", "user root",
    ]  # fmt: skip
    wanted = {
        "edge/gw-01/status", "$aws/rules/all/edge/gw-01/press-1/sitewise",
        "$aws/rules/all/edge/gw-01/press-1/state", "$aws/rules/all/edge/gw-01/press-1/kpi/hour",
    }  # fmt: skip
    with Mosquitto(tmp_path, *lines) as broker:
        wait_for(lambda: listens(plain), 10, "the second listener")
        keys = keys_of(
            "aws-iot", f"mqtts://127.0.0.1:{broker.port}", ca=str(ours.ca), cert=str(mine), key=str(my_key),
            basic_ingest="all", sitewise=True,
        )  # fmt: skip
        with Application(plain, agree, "edge/#", "$aws/#") as there:
            await run_until(tmp_path, keys, lambda: wanted <= {topic for topic, _ in list(there.heard)})
    assert PLUGINS.keys() == {*WANTED, "aws-iot"}

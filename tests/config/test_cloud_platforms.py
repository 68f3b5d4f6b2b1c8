"""The keys of the cloud platforms: their sample, and every mistake with its key and what would be right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from edge_agent import registry
from edge_agent.agent import prepare
from edge_agent.api import ConfigError
from edge_agent.config import Site, load, sample
from tests.encode.cloud_profiles import KEYS, PLUGINS, PSK, profile

ENVIRON = {
    "HUAWEI_SECRET": "abc", "ALIYUN_SECRET": "abc", "ALIYUN_PRESS_1_SECRET": "def", "TENCENT_SECRET": PSK,
    "AZURE_KEY": PSK,
}  # fmt: skip
ONE = """\
agent: {{id: gw-01, place: {{enterprise: acme}}}}
devices:
  press-1:
    driver: simulated
    url: simulated://
    tags:
      state: {{signal: constant, value: 1}}
      total: {{signal: counter, every: 2s}}
      scrap: {{signal: counter, every: 9s}}
machines:
  press-1:
    line: line-a
    state: {{tag: press-1.state, map: {{0: IDLE, 1: RUN}}}}
    counts: {{total: press-1.total, scrap: press-1.scrap}}
    ideal_cycle: 1.2s
publish:
  cloud: {keys}
"""


LINE = ONE.count("\n", 0, ONE.index("  cloud:")) + 1


def loaded(path: Path, environ: dict[str, str] = ENVIRON) -> Site:
    return load(path, registry.drivers(), registry.publishers(), environ, registry.profiles(), registry.servers())


def told(tmp_path: Path, name: str, **more: Any) -> list[str]:
    """What `check` says of a destination with these keys."""
    keys = {"type": "mqtt", "url": "mqtts://broker.example", "profile": name, **KEYS[name], **more}
    keys["sub_devices"] = {"press-1": keys["sub_devices"]["press-1"]} if "sub_devices" in keys else None
    written = yaml.safe_dump({k: v for k, v in keys.items() if v is not None}, default_flow_style=True, width=1000)
    path = tmp_path / "site.yaml"
    path.write_text(ONE.format(keys=written.strip()))
    try:
        prepare(loaded(path), registry.drivers(), registry.publishers())
    except ConfigError as wrong:
        return [str(mistake).removeprefix(f"{path}:{LINE}: ") for mistake in wrong.mistakes]
    return []


def test_the_sample_makes_all_five(tmp_path: Path) -> None:
    path = tmp_path / "clouds.yaml"
    path.write_text(sample("clouds"))
    for file in ("gw-01.pem.crt", "gw-01.pem.key"):
        (tmp_path / file).touch()
    ready = prepare(loaded(path), registry.drivers(), registry.publishers())
    assert {site.profile for site in loaded(path).publish.values()} == set(PLUGINS)
    huawei, alibaba = ready.profiles["huawei"], ready.profiles["alibaba"]
    assert huawei.command_topics()
    assert alibaba.names.of("press-1", "temp") == "CurrentTemperature"  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", PLUGINS)
def test_what_the_tests_use_is_right(tmp_path: Path, name: str) -> None:
    assert told(tmp_path, name) == []


WRONG = [
    ("azure-iothub", {"secret": "not base64!"}, "publish.cloud.secret", "is not base64"),
    ("tencent-iot", {"secret": "abc"}, "publish.cloud.secret", "is not base64"),
    ("huawei-iotda", {"keepalive": "5s"}, "publish.cloud", "keepalive: 5s; this platform allows 30s to 1200s"),
    ("aliyun-iot", {"keepalive": "30min"}, "publish.cloud", "keepalive: 1800s; this platform allows 30s to 1200s"),
    ("tencent-iot", {"keepalive": "1h"}, "publish.cloud", "keepalive: 3600s; this platform allows 1s to 900s"),
    ("azure-iothub", {"keepalive": "1h"}, "publish.cloud", "keepalive: 3600s; this platform allows 1s to 1740s"),
    ("aws-iot", {"keepalive": "1s"}, "publish.cloud", "keepalive: 1s; this platform allows 30s to 1200s"),
    ("huawei-iotda", {"user": "me"}, "publish.cloud", "user is computed for this platform; leave it out"),
    ("azure-iothub", {"client_id": "me"}, "publish.cloud", "client_id is computed for this platform; leave it out"),
    ("huawei-iotda", {"secret": None}, "publish.cloud", "secret is missing"),
    ("tencent-iot", {"cert": "c.pem"}, "publish.cloud", "secret and cert"),
    ("aliyun-iot", {"secret": None}, "publish.cloud.secret", "is missing"),
    ("aliyun-iot", {"compress": "gzip"}, "publish.cloud", "compress: the platform reads no packed messages"),
    ("azure-iothub", {"version": "5"}, "publish.cloud", "3.1.1 only"),
    ("huawei-iotda", {"url": "mqtt://broker.example"}, "publish.cloud", "unencrypted"),
    ("azure-iothub", {"token_life": "10s"}, "publish.cloud.token_life", "is too short"),
    ("aws-iot", {"cert": None, "key": None}, "publish.cloud", "cert is missing"),
    ("aws-iot", {"root": "a/b/c/d/e"}, "publish.cloud.root", "at most 4"),
    ("aws-iot", {"root": "a/" + "b" * 200}, "publish.cloud.root", "is too long"),
    ("aws-iot", {"root": "a/+/b"}, "publish.cloud.root", "cannot begin a topic"),
    ("aws-iot", {"basic_ingest": "my rule"}, "publish.cloud.basic_ingest", ""),
    ("huawei-iotda", {"sub_devices": {"press-1": {"node": "n"}}}, "publish.cloud.sub_devices.press-1", "product goes"),
    ("huawei-iotda", {"sub_devices": {"press-1": {}}}, "publish.cloud.sub_devices.press-1", "names no device"),
    ("aliyun-iot", {"names": {"press-1.tmp": "T"}}, "publish.cloud.names.press-1.tmp", "names nothing that is told"),
    ("aliyun-iot", {"names": {"press-1.state": "time"}}, "publish.cloud.names.press-1.state", "is reserved"),
    ("aliyun-iot", {"names": {"press-1.state": "a b"}}, "publish.cloud.names.press-1.state", "is no identifier"),
    ("tencent-iot", {"names": {"press-1.state": "a" * 33}}, "publish.cloud.names.press-1.state", "is too long"),
    ("tencent-iot", {"names": {"press-1.state": "total"}}, "publish.cloud.names", "would both be 'total'"),
    ("tencent-iot", {"report": ["tags", "everything"]}, "publish.cloud.report[1]", "everything"),
]


@pytest.mark.parametrize(("name", "keys", "key", "words"), WRONG, ids=lambda one: str(one)[:40])
def test_a_mistake_names_its_key_and_what_would_be_right(
    tmp_path: Path, name: str, keys: dict[str, Any], key: str, words: str
) -> None:
    (said,) = told(tmp_path, name, **keys)
    assert said.startswith(f"{key}: ")
    assert words in said
    assert PSK not in said


def test_a_sub_device_that_is_nothing_here_names_what_there_is(tmp_path: Path) -> None:
    text = sample("clouds").replace("{press-1: {product: ", "{press-9: {product: ")
    path = tmp_path / "clouds.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as wrong:
        prepare(loaded(path), registry.drivers(), registry.publishers())
    (mistake,) = wrong.value.mistakes
    assert mistake.key == "publish.huawei.sub_devices.press-9"
    assert "press-1" in mistake.hint


@pytest.mark.parametrize("name", PLUGINS)
def test_an_instance_that_takes_fewer_messages_is_sent_fewer(name: str) -> None:
    usual, fewer = profile(name).limits, profile(name, server_messages=3).limits
    assert fewer.messages_s == 3 != usual.messages_s
    assert fewer.payload == usual.payload


def test_a_platform_of_3_1_1_is_not_asked_for_5_first(tmp_path: Path) -> None:
    path = tmp_path / "clouds.yaml"
    path.write_text(sample("clouds"))
    versions = {name: one.version for name, one in loaded(path).publish.items()}  # type: ignore[attr-defined]
    assert versions == {"huawei": "auto", "alibaba": "auto", "tencent": "3.1.1", "aws": "auto", "azure": "3.1.1"}

"""The five cloud profiles of the small plant, made of their site-file keys as `check` and `run` make them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pydantic import SecretStr

from edge_agent.api import ProfilePlugin, PublishConfig
from edge_agent.config.destination import with_profile
from edge_agent.encode.profile import Profile, Scene
from edge_agent.north import mqtt
from edge_agent.platforms import aliyun_iot, aws_iot, azure_iothub, huawei_iotda, tencent_iot
from tests.encode.scene import SCENE

PLUGINS: dict[str, ProfilePlugin] = {
    one.plugin.name: one.plugin for one in (huawei_iotda, aliyun_iot, tencent_iot, aws_iot, azure_iothub)
}
THINGS = ("huawei-iotda", "aliyun-iot", "tencent-iot")
PSK = "c2VjcmV0LWtleS0xMjM0NQ=="
KEYS: dict[str, dict[str, Any]] = {
    "huawei-iotda": {
        "device_id": "gw", "secret": "abc",
        "sub_devices": {"press-1": {"id": "prod_press-1"}, "press-2": {"product": "prod", "node": "press-2"}},
    },
    "aliyun-iot": {
        "product_key": "a1gw", "device_name": "gw-01", "secret": "abc",
        "sub_devices": {"press-1": {"product_key": "a1press", "device_name": "press-1", "secret": "def"}},
    },
    "tencent-iot": {
        "product_id": "GWPRODUCT1", "device_name": "gw-01", "secret": PSK,
        "sub_devices": {"press-1": {"product_id": "PRESSPROD1", "device_name": "press-1", "secret": PSK}},
    },
    "aws-iot": {"cert": "c.pem", "key": "k.pem"},
    "azure-iothub": {"device_id": "gw-01", "secret": PSK},
}  # fmt: skip
HOSTS = {
    "huawei-iotda": "iotda.example", "aliyun-iot": "a1gw.iot.example", "tencent-iot": "gwproduct1.example",
    "aws-iot": "ats.iot.example", "azure-iothub": "acme.azure-devices.example",
}  # fmt: skip


def config(name: str, **more: Any) -> Any:
    """The joined model of an MQTT destination with this profile; pydantic's ValidationError if it is wrong."""
    model: type[PublishConfig] = with_profile(mqtt.plugin, PLUGINS[name])
    said = {"type": "mqtt", "url": f"mqtts://{HOSTS[name]}:8883", "profile": name, **KEYS[name], **more}
    return model.model_validate({key: value for key, value in said.items() if value is not None})


def profile(name: str, scene: Scene = SCENE, **more: Any) -> Profile:
    """Made of the keys above and `more`."""
    return PLUGINS[name].make(config(name, **more), scene)


def secret(text: str) -> SecretStr:
    return SecretStr(text)


def wide(tags: Any) -> Scene:
    """The scene with other tags."""
    return replace(SCENE, tags=tags, writable=frozenset())

"""The example of a plant's broker, run by a real mosquitto: who may do what, and an agent all that it does."""

from __future__ import annotations

import re
import runpy
import ssl
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from queue import Queue
from typing import Any, Self

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.subscribeoptions import SubscribeOptions

from edge_agent_hil.broker import Broker
from tests.peers.certificates import Authority, Identity
from tests.peers.mosquitto import MOSQUITTO, free_port
from tests.peers.waiting import wait_for

pytestmark = [pytest.mark.peer, pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed")]

DEPLOY = Path(__file__).parents[2] / "deploy"
EXAMPLE = DEPLOY / "broker" / "mosquitto"
PASSWORD = "of-the-test"
ROOT = "edge/acme/suzhou/machining"
SITE = """
agent: {{id: gw-01, timezone: UTC, data_dir: data, place: {{enterprise: acme, site: suzhou, area: machining}}}}
devices:
  press-1:
    driver: simulated
    url: "simulated://"
    poll: 100ms
    tags: {{state: {{signal: constant, value: 1}}, total: {{signal: counter, every: 1s}}, scrap: {{signal: counter, every: 9s}}}}
machines:
  press-1: {{state: {{tag: press-1.state, map: {{1: RUN}}}}, counts: {{total: press-1.total, scrap: press-1.scrap}}, ideal_cycle: 1s}}
kpi: {{every: 1s}}
publish:
  platform: &tls {{type: mqtt, url: "mqtts://localhost:{port}", ca: {ca}, cert: {cert}, key: {key}, commands: true}}
  scada: {{<<: *tls, profile: sparkplug, group: acme, client_id: gw-01-scada}}
api: {{listen: "off"}}
"""  # noqa: E501


class PlantBroker(Broker):
    """mosquitto with the very files, but for where they are."""

    name = "the plant's broker"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.issued("broker", "localhost", "127.0.0.1")
        hashed = runpy.run_path(str(DEPLOY / "compose" / "prepare.py"))["hashed"]
        (folder / "passwords").write_text("".join(f"{user}:{hashed(PASSWORD)}\n" for user in ("scada", "dashboard")))
        self.for_gateways, self.for_people = free_port(), free_port()
        text = (EXAMPLE / "mosquitto.conf").read_text()
        text = text.replace("/etc/mosquitto/plant/acl", str(EXAMPLE / "acl"))
        text = text.replace("/etc/mosquitto/plant", str(folder))
        text = text.replace("/var/lib/mosquitto/", f"{folder}/")
        text = text.replace("listener 8883", f"listener {self.for_gateways} 127.0.0.1")
        text = text.replace("listener 8884", f"listener {self.for_people} 127.0.0.1")
        (folder / "mosquitto.conf").write_text(f"user root\n{text}")
        assert MOSQUITTO
        super().__init__([MOSQUITTO, "-c", str(folder / "mosquitto.conf")], self.for_people)

    def issued(self, *names: str) -> Identity:
        """A certificate and its key, of the plant's authority."""
        subprocess.run([EXAMPLE / "certificate.sh", *names], cwd=self.folder, check=True, capture_output=True)
        return Identity(self.folder / f"{names[0]}.pem", self.folder / f"{names[0]}.key")

    def trusted(self) -> ssl.SSLContext:
        """As strict as the newest Python."""
        context = ssl.create_default_context(cafile=self.folder / "ca.pem")
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context


class Somebody:
    """Who has logged in, by certificate or by password; says what the broker said."""

    def __init__(self, broker: PlantBroker, name: str) -> None:
        self.heard: list[str] = []
        self._said: Queue[Any] = Queue()
        self._client = client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
        tls = broker.trusted()
        if name in ("scada", "dashboard"):
            client.username_pw_set(name, PASSWORD)
            port = broker.for_people
        else:
            tls.load_cert_chain(*broker.issued(name))
            port = broker.for_gateways
        client.tls_set_context(tls)
        client.on_connect = lambda *told: self._said.put(told[3])
        client.on_publish = lambda *told: self._said.put(told[3])
        client.on_subscribe = lambda *told: self._said.put(told[3][0])
        client.on_message = lambda *told: self.heard.append(told[2].topic)
        client.connect("localhost", port)

    def __enter__(self) -> Self:
        self._client.loop_start()
        assert not self._said.get(timeout=20).is_failure
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def may_publish(self, topic: str, payload: str = "{}") -> bool:
        self._client.publish(topic, payload, qos=1)
        return not self._said.get(timeout=20).is_failure

    def may_hear(self, topic: str) -> bool:
        self._client.subscribe(topic, options=SubscribeOptions(qos=1))
        return not self._said.get(timeout=20).is_failure


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[PlantBroker]:
    with PlantBroker(tmp_path) as running:
        yield running


def allowed(ask: Any, topics: Sequence[str]) -> set[str]:
    return {topic for topic in topics if ask(topic)}


def test_a_gateway_writes_below_its_own_id_and_nobody_elses(broker: PlantBroker) -> None:
    own = {f"{ROOT}/gw-01/status", f"{ROOT}/gw-01/press-1/tags", "spBv1.0/acme/NDATA/gw-01",
           "spBv1.0/acme/DDATA/gw-01/press-1"}  # fmt: skip
    others = {f"{ROOT}/gw-02/status", "edge/gw-01/status", "spBv1.0/acme/NDATA/gw-02", "spBv1.0/STATE/scada",
              f"{ROOT}/gw-02/command/press-1", "spBv1.0/acme/DCMD/gw-02/x", "anything"}  # fmt: skip
    with Somebody(broker, "gw-01") as gateway:
        assert allowed(gateway.may_publish, [*own, *others]) == own


def test_a_gateway_hears_its_own_commands_alone(broker: PlantBroker) -> None:
    with Somebody(broker, "gw-01") as first, Somebody(broker, "gw-02") as second, Somebody(broker, "scada") as scada:
        for gateway in (first, second):
            assert gateway.may_hear("#"), "mosquitto says yes, and then lets nothing of others through"
        told = [f"{ROOT}/gw-01/command/press-1", "spBv1.0/STATE/scada"]
        unnamed = [f"{ROOT}/gw-02/command/press-1", f"{ROOT}/gw-01/command/cnc-7"]
        assert allowed(scada.may_publish, [*told, *unnamed]) == set(told)
        assert first.may_publish(f"{ROOT}/gw-01/status")
        wait_for(lambda: "spBv1.0/STATE/scada" in second.heard, 20, "the last that both hear")
        wait_for(lambda: len(first.heard) == 2, 20, "its command")
        assert (first.heard, second.heard) == (told, told[1:])


def test_a_dashboard_reads_everything_and_moves_nothing(broker: PlantBroker) -> None:
    with Somebody(broker, "dashboard") as dashboard, Somebody(broker, "gw-07") as gateway:
        assert dashboard.may_hear("edge/#")
        assert gateway.may_publish(f"{ROOT}/gw-07/status")
        wait_for(lambda: dashboard.heard == [f"{ROOT}/gw-07/status"], 20, "what the gateway tells")
        assert not allowed(dashboard.may_publish, [f"{ROOT}/gw-01/command/press-1", "edge/x", "spBv1.0/STATE/scada"])


def gets_in(port: int, tls: ssl.SSLContext) -> bool:
    """Without a password; by TLS 1.3 a refused certificate is told after the handshake."""
    said: Queue[bool] = Queue()
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    client.tls_set_context(tls)
    client.on_connect = lambda *told: said.put(not told[3].is_failure)
    client.on_disconnect = lambda *_: said.put(False)
    try:
        client.connect("localhost", port)
    except OSError:
        return False
    client.loop_start()
    try:
        return said.get(timeout=20)
    finally:
        client.disconnect()
        client.loop_stop()


def test_without_a_certificate_of_the_plants_or_a_password_nobody_gets_in(broker: PlantBroker, tmp_path: Path) -> None:
    ours, others, none = (broker.trusted() for _ in range(3))
    ours.load_cert_chain(*broker.issued("gw-01"))
    (tmp_path / "others").mkdir()
    others.load_cert_chain(*Authority(tmp_path / "others", "other-ca").issue("gw-01"))
    assert gets_in(broker.for_gateways, ours)
    assert not gets_in(broker.for_gateways, others)
    assert not gets_in(broker.for_gateways, none)
    assert not gets_in(broker.for_people, ours)


def test_nothing_that_an_agent_does_is_refused(broker: PlantBroker, tmp_path: Path) -> None:
    cert, key = broker.issued("gw-01")
    site = tmp_path / "site.yaml"
    site.write_text(SITE.format(port=broker.for_gateways, ca=tmp_path / "ca.pem", cert=cert, key=key))
    wanted = {f"{ROOT}/gw-01/status", f"{ROOT}/gw-01/press-1/tags", f"{ROOT}/gw-01/press-1/state",
              f"{ROOT}/gw-01/press-1/kpi/day", "spBv1.0/acme/NBIRTH/gw-01",
              "spBv1.0/acme/DBIRTH/gw-01/press-1"}  # fmt: skip
    with Somebody(broker, "scada") as scada:
        assert scada.may_hear("edge/#")
        assert scada.may_hear("spBv1.0/#")
        with (tmp_path / "log").open("w") as log:
            agent = subprocess.Popen([sys.executable, "-m", "edge_agent.cli", "run", str(site)], stderr=log)
            try:
                wait_for(lambda: wanted <= set(scada.heard) or agent.poll(), 20, "all that an agent tells")
                told = '{"id": "c-1", "tag": "state", "value": 1}'
                assert scada.may_publish(f"{ROOT}/gw-01/command/press-1", told)
                wait_for(lambda: f"{ROOT}/gw-01/reply/c-1" in scada.heard, 20, "the command was heard")
            finally:
                agent.terminate()
                agent.wait(30)
    assert not re.search("not authori[sz]ed|refused", (tmp_path / "log").read_text(), re.IGNORECASE)

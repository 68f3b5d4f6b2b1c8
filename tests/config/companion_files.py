"""Site files with machines of companion specifications, and an OPC UA driver that exists only here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field
from site_files import DRIVERS, PROFILES, PUBLISHERS, FakeDevice

import edge_agent_modbus
import edge_agent_opcua
from edge_agent.api import DriverPlugin, TagConfig
from edge_agent.config import Site, load

REAL = {"opcua": edge_agent_opcua.plugin, "modbus": edge_agent_modbus.plugin}
SITE = """\
agent: {id: gw-01}
devices:
  filler: {driver: opcua, url: "opc.tcp://10.0.0.9:4840"}
  cnc-7:
    driver: opcua
    url: "opc.tcp://10.0.0.7:4840"
    tags:
      total: {node: "ns=2;s=Total"}
      scrap: {node: "ns=2;s=Scrap"}
machines:
  filler-1:
    packml: {device: filler, node: "/Objects/2:Filler1"}
    ideal_cycle: 0.5s
  cnc-7:
    machinery: {device: cnc-7, node: "nsu=http://acme.example/cnc/;s=Machine"}
    counts: {total: cnc-7.total, scrap: cnc-7.scrap}
    ideal_cycle: 12s
  cnc-8:
    machinetool: {device: cnc-7, node: "/Objects/Machines/CNC8"}
    counts: {total: cnc-7.total, scrap: cnc-7.scrap}
    ideal_cycle: 12s
"""
PLC = """\
agent: {id: gw-01}
devices:
  plc:
    driver: fake
    url: fake://10.0.0.5
    tags:
      state: {address: 0}
      mode: {address: 1}
      starved: {address: 2}
      total: {address: 3}
      scrap: {address: 4}
      name: {address: 5, text: true}
machines:
  packer:
    state: {packml: {state: plc.state, mode: plc.mode, starved: plc.starved, numbering: opc-30060}}
    counts: {total: plc.total, scrap: plc.scrap}
    ideal_cycle: 1s
"""
SHORT = "{device: filler, node: \"/Objects/2:Filler1\"}"
ROLES = "{packml: {state: plc.state, mode: plc.mode, starved: plc.starved, numbering: opc-30060}}"


class FakeNode(TagConfig):
    node: str
    path: str = ""
    index: int | None = None
    optional: bool = False


class FakeServer(FakeDevice):
    tags: dict[str, FakeNode] = Field(default_factory=dict)

    def period_ns(self, tag: Any) -> int:
        return 1_000_000_000


def _never(*_: Any) -> Any:
    raise AssertionError("loading a site builds nothing")


SERVER = DriverPlugin("opcua", "", FakeServer, _never, _never, "")
FAKES = {**DRIVERS, "opcua": SERVER}


def fake(text: str) -> str:
    return text.replace("opc.tcp://", "fake://")


def real(folder: Path, text: str) -> Site:
    path = folder / "site.yaml"
    path.write_text(text)
    return load(path, REAL, PUBLISHERS, {}, PROFILES)

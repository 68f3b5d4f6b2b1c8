"""The digitalisation ladder as seen from one asset: what it is taken to have, and what the next level lacks.

Levels and thresholds are those of `digital` (domain 4.7). Reasons are given in English and Chinese.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import Final

from edge_agent.core import digital
from edge_agent.core.asset import Asset
from edge_agent.core.asset_class import CYCLE, ITEMS, STATE, TOTAL
from edge_agent.core.digital import Device
from edge_agent.core.sighting import NOTHING, Seen

MEASURED: Final = Fraction(19, 20)
"""Share of the planned time with data from which on an OEE counts as measured (domain 4.7, L4)."""


@dataclass(frozen=True, slots=True)
class Lack:
    """Something that stands between an asset and the level above its own."""

    code: str
    en: str
    zh: str


@dataclass(frozen=True)
class Standing:
    """Everything the level of an asset rests on.

    `fresh`: items of its class's profile that are mapped and were told in the window; `coverage`: share of planned
    time with data, of each of its machines, None if no time was planned.
    """

    asset: Asset
    seen: Seen = NOTHING
    fresh: frozenset[str] = frozenset()
    coverage: Mapping[str, Fraction | None] | None = None

    @cached_property
    def evidenced(self) -> Device:
        """What was seen; what only the register can know, such as a key operation, is taken from there."""
        asset, seen = self.asset, self.seen
        required = asset.cls.required
        return Device(
            name=asset.id,
            digital=seen.last_good is not None,
            connected=seen.connected,
            cloud=seen.delivered,
            key_process=bool(asset.key_operation),
            nc=asset.automatic,
            online_ratio=seen.online,
            tag_coverage=Fraction(sum(item in self.fresh for item in required), len(required)),
            completeness=seen.completeness,
            timeliness=seen.timeliness,
            oee_ready=bool(asset.machines) and not self._unmeasured(),
            semantic=not _not_interoperable(asset, seen),
        )

    @cached_property
    def declared(self) -> Device:
        """The same, believing what the register declares on top."""
        device, told, one = self.evidenced, self.asset.declared, Fraction(1)
        if not told:
            return device
        if "connected" in told:
            device = replace(device, connected=True, online_ratio=max(device.online_ratio, digital.ONLINE_L2))
        if "complete" in told:
            device = replace(device, online_ratio=one, tag_coverage=one, completeness=one, timeliness=one)
        return replace(
            device,
            digital=device.digital or "digital" in told,
            cloud=device.cloud or "cloud" in told,
            oee_ready=device.oee_ready or "measured" in told,
            semantic=device.semantic or "interoperable" in told,
        )

    def lacks(self) -> list[Lack]:
        """Why its evidenced level is not one higher; nothing at the top."""
        device = self.evidenced
        level = digital.level(device)
        if level == 0:
            return [_UNSEEN] if self.asset.is_linked else [_UNLINKED]
        if level == 1:
            return [*([] if device.connected else [_APART]), *_short("online", device.online_ratio, digital.ONLINE_L2)]
        if level == 2:
            return self._incomplete(device)
        if level == 3:
            return self._unmeasured() if self.asset.machines else [_no_oee(self.asset)]
        return _not_interoperable(self.asset, self.seen) if level < digital.TOP else []

    def _incomplete(self, device: Device) -> list[Lack]:
        return [
            *_short("online", device.online_ratio, digital.ONLINE_L3),
            *_short("tags", device.tag_coverage, digital.COVERAGE_L3, *self._missing_tags()),
            *_short("completeness", device.completeness, digital.COMPLETE_L3),
            *_short("timeliness", device.timeliness, digital.TIMELY_L3),
        ]

    def _missing_tags(self) -> tuple[str, str]:
        required = self.asset.cls.required
        unmapped = [item for item in required if item not in self.asset.told]
        silent = [item for item in required if item in self.asset.told and item not in self.fresh]
        en, zh = "", ""
        for items, one, other in ((unmapped, "not mapped", "未映射"), (silent, "without a good sample", "无有效数据")):
            if items:
                en += f"; {one}: {', '.join(ITEMS[item][0] for item in items)}"
                zh += f"；{other}：{'、'.join(ITEMS[item][1] for item in items)}"
        return en, zh

    def _unmeasured(self) -> list[Lack]:
        """Of its machines those whose OEE has too little data."""
        found: list[Lack] = []
        for machine in self.asset.machines:
            covered = (self.coverage or {}).get(machine)
            if covered is None:
                en = f"no planned time of {machine} has been seen yet"
                found.append(Lack("oee_data", en, f"{machine} 尚无计划工作时间的统计"))
            elif covered < MEASURED:
                at, need = _percent(covered), int(MEASURED * 100)
                en = f"OEE data of {machine} {at} %, {need} % needed"
                found.append(Lack("oee_data", en, f"{machine} 的 OEE 数据覆盖率 {at} %，要求不低于 {need} %"))
        return found


_UNLINKED: Final = Lack(
    "unlinked",
    "the agent reads nothing of it: link a machine, devices or tags",
    "未关联任何采集：请关联 machine、devices 或 tags",
)
_UNSEEN: Final = Lack("unseen", "no good sample has come from it yet", "尚未收到任何有效数据")
_APART: Final = Lack("not_connected", "not connected in the last seven days", "最近 7 天内未连接")
_NAMES: Final = {
    "online": ("online", "在线率"),
    "tags": ("required tags", "必备数据项覆盖率"),
    "completeness": ("completeness", "完整性"),
    "timeliness": ("timeliness", "时效性"),
}


def unanswered(device: str, why: str) -> Lack:
    """The line of a device that does not stand at present."""
    more = f": {why}" if why else ""
    return Lack("line_down", f"{device} is not connected now{more}", f"{device} 当前未连接{more}")


def _no_oee(asset: Asset) -> Lack:
    if not asset.machine and STATE in asset.told and TOTAL in asset.told and CYCLE in asset.told:
        en = "its machine has no calendar, or draws its state or counts from elsewhere"
        return Lack("no_oee", en, "对应 machine 未设日历，或其状态、产量取自其他设备")
    en = "no machine with a state, counts, an ideal cycle and a calendar is linked to it"
    return Lack("no_oee", en, "未关联同时具备状态、产量、理想节拍和日历的 machine")


def _not_interoperable(asset: Asset, seen: Seen) -> list[Lack]:
    found: list[Lack] = []
    if not asset.companion:
        en = "it is not read by a standard semantic model (packml, machinery or machinetool)"
        found.append(Lack("no_semantic_model", en, "未按标准语义模型（packml、machinery 或 machinetool）采集"))
    if not asset.identifier:
        found.append(Lack("no_identifier", "it has no registered identifier", "没有注册的标识编码"))
    if not asset.has_alarms:
        found.append(Lack("no_alarms", "it tells no alarms", "没有报警数据"))
    if asset.data_grade is None:
        found.append(Lack("no_grade", "its data are not classified: data_grade", "数据未分级：data_grade"))
    if not seen.delivered:
        en = "its data reached no platform in the last seven days"
        found.append(Lack("no_cloud", en, "最近 7 天内数据未送达平台"))
    return found


def _short(what: str, value: Fraction, needed: Fraction, en: str = "", zh: str = "") -> list[Lack]:
    """What to say if `value` is too small, rounded down so that it never looks like enough."""
    if value >= needed:
        return []
    at, need = _percent(value), int(needed * 100)
    name, name_zh = _NAMES[what]
    return [Lack(what, f"{name} {at} %, {need} % needed{en}", f"{name_zh} {at} %，要求不低于 {need} %{zh}")]


def _percent(value: Fraction) -> float:
    return int(value * 1000) / 10

"""What evidence the agent has for the SME digitalisation questionnaire, edition 2024 (domain 4.3 and 4.4).

An estimate of some answers, never of the result: the questionnaire asks an enterprise about much that no gateway
sees. Bins and scenes are quoted from pages about the questionnaire, not from its text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

from edge_agent.core.asset_class import ALARM, CYCLE, ENERGY, JOB, SCRAP, STATE, TOTAL
from edge_agent.core.digital import Device, sme_score

NOTE: Final = {
    "en": "points estimated from evidence about the equipment of the site file; not a self-assessment, not a result",
    "zh": "得分由站点文件中设备的采集证据估算，并非企业自评，也不是评价结果",
}

# Question 4: 0.7 points for each business link with automatic acquisition. These are the links a gateway sees.
_LINK_POINTS: Final = Fraction(7, 10)
_LINKS: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "生产管控": ("production control", (TOTAL, JOB)),
    "质量管理": ("quality management", (SCRAP,)),
    "设备管理": ("equipment management", (STATE,)),
    "能耗管理": ("energy management", (ENERGY,)),
}


@dataclass(frozen=True, slots=True)
class Fact:
    """What the questionnaire needs of one asset; `fresh` are the items told in the window."""

    device: Device
    fresh: frozenset[str]
    is_entry: bool      # of a register

    def tells(self, *items: str) -> bool:
        """All of these."""
        return self.fresh.issuperset(items)


@dataclass(frozen=True, slots=True)
class _Step:
    """A level of a scene, what an asset must have for it, and what that is in words."""

    level: int
    items: tuple[str, ...]
    en: str
    zh: str
    oee: bool = False
    cloud: bool = False

    def holds(self, fact: Fact) -> bool:
        device = fact.device
        told = fact.tells(*self.items) if self.items else fact.is_entry
        return told and (device.oee_ready or not self.oee) and (device.cloud or not self.cloud)


# The highest step that one asset takes is the scene's; level 4 needs models and knowledge that no gateway has.
_SCENES: Final[Mapping[str, tuple[str, tuple[_Step, ...]]]] = {
    "设备管理": ("equipment management", (
        _Step(3, (STATE, ALARM), "state and alarms acquired live, OEE computed",
              "实时采集状态与报警，并统计 OEE", oee=True),
        _Step(1, (), "kept in an equipment register", "建有设备台账"),
    )),
    "生产管控": ("production control", (
        _Step(3, (TOTAL, JOB, CYCLE), "orders, output and cycle acquired and shared with a platform",
              "采集工单、产量与节拍并与平台共享", cloud=True),
        _Step(1, (TOTAL,), "output recorded", "记录产量"),
    )),
    "质量管理": ("quality management", (
        _Step(2, (TOTAL, SCRAP), "good and scrap recorded digitally", "数字化记录良品与报废"),
    )),
    "能耗管理": ("energy management", (
        _Step(3, (ENERGY, STATE), "energy and state acquired live, per machine", "按设备实时采集电能与状态"),
        _Step(2, (ENERGY,), "energy collected and added up", "采集并统计电能"),
    )),
}  # fmt: skip


def estimate(facts: Sequence[Fact], rates: Mapping[str, Fraction | None]) -> dict[str, Any]:
    """Answers the evidence supports, JSON-safe.

    `q2` and `q3`: title, points, of, rate, evidence; `q4`: title, points, of, links (name → en, evidence);
    `scenes`: name → en, level, what, what_zh, evidence. `evidence` are ids of assets, whose own entries tell from
    which tag, by which protocol and when the last good sample came. `q2_digital_rate` and `q3_connected_rate`
    repeat the points alone.
    """
    q2, q3 = rates["device_digital_rate"], rates["device_connected_rate_of_all"]
    links = {link: _told(facts, items) for link, (_, items) in _LINKS.items()}
    return {
        "edition": "2024",
        "note": NOTE["en"],
        "note_zh": NOTE["zh"],
        "q2_digital_rate": _number(sme_score(q2)),
        "q3_connected_rate": _number(sme_score(q3)),
        "q2": _question("生产设备数字化率", q2, [fact for fact in facts if fact.device.digital]),
        "q3": _question("生产设备联网率", q3, [fact for fact in facts if fact.device.connected]),
        "q4": {
            "title": "数据自动采集覆盖",
            "points": float(_LINK_POINTS * sum(1 for told in links.values() if told)),
            "of": 10,
            "links": {
                link: {"en": _LINKS[link][0], "evidence": _ids(told)} for link, told in links.items()
            },
        },
        "scenes": {scene: _scene(en, steps, facts) for scene, (en, steps) in _SCENES.items()},
    }


def _told(facts: Sequence[Fact], items: Sequence[str]) -> list[Fact]:
    return [fact for fact in facts if any(fact.tells(item) for item in items)]


def _question(title: str, rate: Fraction | None, counted: Sequence[Fact]) -> dict[str, Any]:
    return {
        "title": title,
        "points": _number(sme_score(rate)),
        "of": 6,
        "rate": _number(rate),
        "evidence": _ids(counted),
    }


def _scene(en: str, steps: Sequence[_Step], facts: Sequence[Fact]) -> dict[str, Any]:
    """The highest level that the evidence of at least one asset supports, and which do."""
    for step in steps:
        if held := [fact for fact in facts if step.holds(fact)]:
            return {"en": en, "level": step.level, "what": step.en, "what_zh": step.zh, "evidence": _ids(held)}
    return {"en": en, "level": 0, "what": "no evidence", "what_zh": "无证据", "evidence": []}


def _ids(facts: Sequence[Fact]) -> list[str]:
    return [fact.device.name for fact in facts]


def _number(value: Fraction | None) -> float | None:
    return None if value is None else float(value)

"""How digital a plant is: the whole summary, from the asset register and the evidence about it (domain 4).

`summary` gives, JSON-safe, ratios 0 to 1, times ms UTC, None where nothing can be said:

    since, until        the window: seven days, or less while the agent has not looked for that long
    observed_s          for how many seconds of it the agent ran and looked
    register            kept (is there one?), entries, counted, spare, scrapped, not_production, unlisted (devices
                        and machines that belong to no entry and so count nowhere)
    indices             name → value, on evidence alone; official figures count pieces of equipment:
                        device_digital_rate            生产设备数字化率
                        device_connected_rate_of_all   设备联网率, of all equipment (SME questionnaire)
                        digital_device_connected_rate  设备联网率, of digital equipment (两化融合)
                        key_process_nc_rate            关键工序数控化率, equipment in key operations (discrete)
                        key_operation_control_rate     the same, operations all of whose equipment is automatic
                        device_cloud_rate              工业设备上云率
                        mean_online_ratio_of_connected, oee_managed_rate (level 4 and up), digital_maturity_index
                        (0 to 100), required_tag_coverage (TCR)
    declared            the same, believing what the register declares on top of what is evidenced
    by_value            the evidenced indices weighted by replacement value; None unless all of it is known
    by_planned_time     weighted by planned busy time in the window
    levels              six numbers: how many counted assets stand on L0 … L5
    quality             of all devices together: the six indicators of data quality from their sums, and `score`
    published           acknowledged, refused: messages north in the window
    sme                 see `sme.estimate`
    devices             asset id → see `_said`; without a register every device stands for itself
    sources             device → protocol, connected, online_ratio, quality (six indicators and their mean, `score`),
                        age_p95_ms, last_good

These are one enterprise's inputs to official statistics, never the statistics themselves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Final

from edge_agent.core import digital, sme
from edge_agent.core.asset import STATUSES, Asset
from edge_agent.core.evidence import Evidence
from edge_agent.core.indicators import Row, quality_of
from edge_agent.core.kpi import ratio
from edge_agent.core.ladder import Lack, Standing, unanswered
from edge_agent.core.measured import Measured
from edge_agent.core.sighting import NOTHING, Seen
from edge_agent.core.slots import WINDOW_NS
from edge_agent.core.tags import TagTable
from edge_agent.core.units import Unit

_MS: Final = 1_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Plant:
    """What the site file says: the register, the devices with their protocols, and what is not in the register."""

    assets: tuple[Asset, ...] = ()
    devices: Mapping[str, str] = field(default_factory=dict)
    units: tuple[Unit, ...] = ()
    unlisted: tuple[str, ...] = ()


def summary(
    plant: Plant,
    table: TagTable,
    evidence: Evidence,
    measured: Measured,
    now_ns: int,
    lines: Mapping[str, str],
) -> dict[str, Any]:
    """The summary as of `now_ns`; `lines` says of each device that is not connected at present why."""
    seen = evidence.look(now_ns)
    good = evidence.tag_counts()[Row.GOOD] > 0
    told = {
        asset.id: Standing(
            asset,
            seen.get(asset.unit, NOTHING),
            frozenset(item for item, tags in asset.told.items() if not tags or any(good[tag] for tag in tags)),
            {machine: measured.coverage(machine, now_ns) for machine in asset.machines},
        )
        for asset in plant.assets
    }
    counted = [standing for standing in told.values() if standing.asset.counts]
    evidenced = [standing.evidenced for standing in counted]
    levels = [digital.level(device) for device in evidenced]
    rates = {**digital.indices(evidenced, levels=levels), **_of_register(counted)}
    acknowledged, refused = evidence.published(now_ns)
    return {
        "since": evidence.since(now_ns) // _MS,
        "until": now_ns // _MS,
        "observed_s": evidence.observed_ms(now_ns) // 1000,
        "register": _register(plant),
        "indices": _numbers(rates),
        "declared": _numbers({**rates, **_declared(counted)}),
        "by_value": _numbers(digital.indices(evidenced, [standing.asset.value for standing in counted], levels)),
        "by_planned_time": _numbers(digital.indices(evidenced, _planned(counted, now_ns), levels)),
        "levels": [levels.count(level) for level in range(digital.TOP + 1)],
        "quality": quality_of(evidence.quality(now_ns, plant.devices)),
        "published": {"acknowledged": acknowledged, "refused": refused},
        "sme": sme.estimate(
            [sme.Fact(device, one.fresh, one.asset.is_entry) for device, one in zip(evidenced, counted, strict=True)],
            rates,
        ),
        "devices": {name: _said(one, plant, table, lines) for name, one in told.items()},
        "sources": {
            name: _source(protocol, seen.get(name, NOTHING), evidence.age_ms(name))
            for name, protocol in plant.devices.items()
        },
    }


def _declared(counted: Sequence[Standing]) -> dict[str, Fraction | None]:
    """Indices that declarations may raise; for how long equipment was online nobody can declare."""
    found = digital.indices([standing.declared for standing in counted])
    return {name: rate for name, rate in found.items() if name != "mean_online_ratio_of_connected"}


def _said(standing: Standing, plant: Plant, table: TagTable, lines: Mapping[str, str]) -> dict[str, Any]:
    """One asset: its level and why not one higher, the evidence, and its `entry` in the register.

    `last_good`, `tag` and `protocol` prove that it is read. `tags` says of each item its class requires whether it
    is `fresh` (told in the window), `mapped` or `missing`; `reasons` why it is not one level higher, each {code,
    en, zh}, of which `missing` repeats the English.
    """
    asset, seen = standing.asset, standing.seen
    device = standing.evidenced
    level, declared = digital.level(device), digital.level(standing.declared)
    reasons = [*standing.lacks(), *(unanswered(name, lines[name]) for name in asset.devices if name in lines)]
    coverage = [covered for covered in (standing.coverage or {}).values() if covered is not None]
    return {
        "level": level,
        "name": digital.LEVELS[level],
        "name_zh": digital.LEVELS_ZH[level],
        "declared": sorted(asset.declared),
        "declared_level": declared,
        "connected": device.connected,
        "cloud": device.cloud,
        "online_ratio": float(device.online_ratio),
        "completeness": float(device.completeness),
        "timeliness": float(device.timeliness),
        "tag_coverage": float(device.tag_coverage),
        "oee_coverage": float(min(coverage)) if coverage else None,
        "quality": quality_of(seen.quality),
        "tags": {item: _item(standing, item) for item in asset.cls.required},
        "energy_metered": asset.is_metered,
        **_proof(seen, plant, table),
        "missing": [reason.en for reason in reasons],
        "reasons": [_reason(reason) for reason in reasons],
        "entry": _entry(asset),
    }


def _entry(asset: Asset) -> dict[str, Any]:
    """What the register says; `gaps` is what a full entry would say too. Its replacement value stays here."""
    return {
        "title": asset.name or asset.id,
        "class": asset.kind,
        "class_en": asset.cls.en,
        "class_zh": asset.cls.zh,
        "type": asset.type,
        "location": asset.location,
        "identifier": asset.identifier,
        "scheme": asset.scheme,
        "status": asset.status,
        "is_production": asset.is_production,
        "counted": asset.counts,
        "key_operation": asset.key_operation or None,
        "automatic": asset.automatic,
        "semantic_model": asset.companion or asset.semantic_model or None,
        "data_grade": asset.data_grade,
        "machine": asset.machine or None,
        "devices": list(asset.devices),
        "gaps": asset.gaps,
    }


def _item(standing: Standing, item: str) -> str:
    if item in standing.fresh:
        return "fresh"
    return "mapped" if item in standing.asset.told else "missing"


def _reason(reason: Lack) -> dict[str, str]:
    return {"code": reason.code, "en": reason.en, "zh": reason.zh}


def _proof(seen: Seen, plant: Plant, table: TagTable) -> dict[str, Any]:
    """What proves that the asset is read: its last good sample, from which tag and by which protocol."""
    if seen.last_good is None or seen.last_tag is None:
        return {"last_good": None, "tag": None, "protocol": None}
    tag = table[seen.last_tag]
    return {"last_good": seen.last_good // _MS, "tag": tag.id, "protocol": plant.devices.get(tag.device)}


def _source(protocol: str, seen: Seen, age_ms: float | None) -> dict[str, Any]:
    return {
        "protocol": protocol,
        "connected": seen.connected,
        "online_ratio": float(seen.online),
        "quality": quality_of(seen.quality),
        "age_p95_ms": None if age_ms is None or age_ms == float("inf") else age_ms,
        "last_good": None if seen.last_good is None else seen.last_good // _MS,
    }


def _register(plant: Plant) -> dict[str, Any]:
    assets = plant.assets
    in_use, spare, scrapped = ([a for a in assets if a.status == status] for status in STATUSES)
    return {
        "kept": any(asset.is_entry for asset in assets),
        "entries": len(assets),
        "counted": sum(asset.counts for asset in assets),
        "spare": len(spare),
        "scrapped": len(scrapped),
        "not_production": sum(not asset.is_production for asset in in_use),
        "unlisted": list(plant.unlisted),
    }


def _of_register(counted: Sequence[Standing]) -> dict[str, Fraction | None]:
    """Indices that rest on what is mapped: required tags, and key operations by name."""
    operations: dict[str, bool] = {}
    for asset in (standing.asset for standing in counted):
        if asset.key_operation:
            operations[asset.key_operation] = operations.get(asset.key_operation, True) and asset.automatic
    required = [(standing.asset, item) for standing in counted for item in standing.asset.cls.required]
    return {
        "key_operation_control_rate": ratio(sum(operations.values()), len(operations)),
        "required_tag_coverage": ratio(sum(item in asset.told for asset, item in required), len(required)),
    }


def _planned(counted: Sequence[Standing], now_ns: int) -> list[int | None]:
    """Planned busy time of each asset in the window; None where no calendar is known."""
    busy: dict[int, int] = {}
    return [_busy(standing.asset, now_ns, busy) for standing in counted]


def _busy(asset: Asset, now_ns: int, busy: dict[int, int]) -> int | None:
    for calendar in asset.calendars:
        if id(calendar) not in busy:    # many share one
            busy[id(calendar)] = calendar.busy(now_ns - WINDOW_NS, now_ns)
    return max((busy[id(calendar)] for calendar in asset.calendars), default=None)


def _numbers(values: Mapping[str, Fraction | None]) -> dict[str, float | None]:
    return {name: None if value is None else float(value) for name, value in values.items()}


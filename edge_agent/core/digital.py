"""How digital a plant's devices are: levels L0 to L5 and plant indices (domain 4.2, 4.3, 4.7).

A gateway computes an enterprise's inputs to the official statistics, never the statistics themselves:
nothing here may be called 普及率.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from edge_agent.core.kpi import ratio

LEVELS: Final = ("registered", "digital", "connected", "data-complete", "measured", "interoperable")
LEVELS_ZH: Final = ("台账级", "数字化", "联网", "采集完备", "度量", "协同")
TOP: Final = len(LEVELS) - 1

ONLINE_L2: Final = Fraction(1, 2)
ONLINE_L3: Final = Fraction(9, 10)
COVERAGE_L3: Final = Fraction(4, 5)
COMPLETE_L3: Final = Fraction(19, 20)
TIMELY_L3: Final = Fraction(19, 20)

Weight = Fraction | int

INDICES: Final = (
    "device_digital_rate", "device_connected_rate_of_all", "digital_device_connected_rate", "key_process_nc_rate",
    "device_cloud_rate", "mean_online_ratio_of_connected", "digital_maturity_index", "oee_managed_rate",
)  # fmt: skip

# Score bins of the SME evaluation, 2024 edition, questions 2 and 3: (0, 10 %] → 0 … (60 %, 100 %] → 6.
SME_BOUNDS: Final = (Fraction(1, 10), Fraction(1, 5), Fraction(2, 5), Fraction(3, 5))
SME_SCORES: Final = (Fraction(0), Fraction(3, 2), Fraction(3), Fraction(9, 2), Fraction(6))


@dataclass(frozen=True, slots=True)
class Device:
    """One production device of the asset register and the evidence about it; ratios are 0 to 1.

    `oee_ready`: state, count, ideal cycle and calendar are there and the OEE is computed with enough
    data. `semantic`: standard model, identifier, alarms and classified data northbound.
    """

    name: str
    digital: bool = False
    connected: bool = False
    cloud: bool = False
    key_process: bool = False
    nc: bool = False
    online_ratio: Fraction = Fraction(0)
    tag_coverage: Fraction = Fraction(0)
    completeness: Fraction = Fraction(0)
    timeliness: Fraction = Fraction(0)
    oee_ready: bool = False
    semantic: bool = False


def level(device: Device) -> int:
    """0 to 5; the conditions are cumulative."""
    if not device.digital:
        return 0
    if not (device.connected and device.online_ratio >= ONLINE_L2):
        return 1
    if not (
        device.online_ratio >= ONLINE_L3 and device.tag_coverage >= COVERAGE_L3
        and device.completeness >= COMPLETE_L3 and device.timeliness >= TIMELY_L3
    ):  # fmt: skip
        return 2
    if not device.oee_ready:
        return 3
    return TOP if device.semantic else 4


def indices(
    devices: Sequence[Device],
    weights: Sequence[Weight | None] | None = None,
    levels: Sequence[int] | None = None,
) -> dict[str, Fraction | None]:
    """Plant indices; the connected rate is given over all and over digital devices, for sources disagree.

    The official figures count devices. With `weights`, such as replacement values, they weigh them instead; all
    are None if one of these is not known. `levels` are those of the devices, where they have been worked out.
    """
    known = [1] * len(devices) if weights is None else [weight for weight in weights if weight is not None]
    if len(known) < len(devices):
        return dict.fromkeys(INDICES)
    levels = [level(device) for device in devices] if levels is None else levels
    weighed = list(zip(devices, levels, known, strict=True))
    all_ = sum(weight for _, _, weight in weighed)
    digital = sum(weight for _, at, weight in weighed if at >= 1)
    connected = sum(weight for device, _, weight in weighed if device.connected)
    online = sum((device.online_ratio * weight for device, _, weight in weighed if device.connected), Fraction(0))
    key = [(device.nc, weight) for device, _, weight in weighed if device.key_process]
    rates = (
        ratio(digital, all_),
        ratio(connected, all_),
        ratio(connected, digital),
        ratio(sum(weight for nc, weight in key if nc), sum(weight for _, weight in key)),
        ratio(sum(weight for device, _, weight in weighed if device.cloud), all_),
        ratio(online, connected),
        ratio(100 * sum(at * weight for _, at, weight in weighed), TOP * all_),
        ratio(sum(weight for _, at, weight in weighed if at >= 4), all_),
    )
    return dict(zip(INDICES, rates, strict=True))


def sme_score(rate: Fraction | None) -> Fraction | None:
    """Points (of 6) for a device digital or connected rate; the upper end of a bin belongs to it."""
    return None if rate is None else SME_SCORES[bisect_left(SME_BOUNDS, rate)]

"""How digital a plant's devices are: levels L0 to L5 and plant indices (domain 4.2, 4.3, 4.7).

A gateway computes an enterprise's inputs to the official statistics, never the statistics themselves:
nothing here may be called 普及率.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
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
    rungs = (
        device.digital,
        device.connected and device.online_ratio >= ONLINE_L2,
        device.online_ratio >= ONLINE_L3 and device.tag_coverage >= COVERAGE_L3
        and device.completeness >= COMPLETE_L3 and device.timeliness >= TIMELY_L3,
        device.oee_ready,
        device.semantic,
    )
    return next((at for at, holds in enumerate(rungs) if not holds), TOP)


def indices(
    devices: Sequence[Device], weights: Sequence[Fraction | int | None] | None = None
) -> dict[str, Fraction | None]:
    """Plant indices; the connected rate is given over all and over digital devices, for sources disagree.

    The official figures count devices. With `weights`, such as replacement values, they weigh them instead; all
    are None if one of these is not known.
    """
    known = [1 if weight is None else weight for weight in weights or [1] * len(devices)]
    levels = [level(device) for device in devices]

    def weigh(which: Iterable[Fraction | int]) -> Fraction:
        return sum((Fraction(share) * weight for share, weight in zip(which, known, strict=True)), Fraction(0))

    all_ = weigh([1] * len(devices))
    digital, connected = weigh([at >= 1 for at in levels]), weigh([device.connected for device in devices])
    key = weigh([device.key_process for device in devices])
    online = weigh([device.online_ratio * device.connected for device in devices])
    found = {
        "device_digital_rate": ratio(digital, all_),
        "device_connected_rate_of_all": ratio(connected, all_),
        "digital_device_connected_rate": ratio(connected, digital),
        "key_process_nc_rate": ratio(weigh([device.key_process and device.nc for device in devices]), key),
        "device_cloud_rate": ratio(weigh([device.cloud for device in devices]), all_),
        "mean_online_ratio_of_connected": ratio(online, connected),
        "digital_maturity_index": ratio(100 * weigh(levels), TOP * all_),
        "oee_managed_rate": ratio(weigh([at >= 4 for at in levels]), all_),
    }
    if weights is not None and None in weights:
        return dict.fromkeys(found)
    return found


def sme_score(rate: Fraction | None) -> Fraction | None:
    """Points (of 6) for a device digital or connected rate; the upper end of a bin belongs to it."""
    return None if rate is None else SME_SCORES[bisect_left(SME_BOUNDS, rate)]

"""Classes of equipment as a table: what each should tell of itself, and whether it works under numerical control.

The eight items are the required-tag profile of domain 4.7; a class that makes no pieces, or runs no program, is
not asked for them. Which class needs what is this project's proposal; official texts only name the items.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

IDENTITY: Final = "identity"
STATE: Final = "state"
TOTAL: Final = "total"
SCRAP: Final = "scrap"
ALARM: Final = "alarm"
CYCLE: Final = "cycle"
ENERGY: Final = "energy"
JOB: Final = "job"

ITEMS: Final[Mapping[str, tuple[str, str]]] = {
    IDENTITY: ("identity", "设备标识"),
    STATE: ("state or its inputs", "运行状态"),
    TOTAL: ("total count", "产量计数"),
    SCRAP: ("scrap or good count", "良品/报废计数"),
    ALARM: ("alarms", "报警"),
    CYCLE: ("cycle time", "节拍"),
    ENERGY: ("power or energy", "功率/电能"),
    JOB: ("program or job", "程序/工单"),
}
"""Item → its name in English and Chinese."""

_ALL: Final = tuple(ITEMS)
_PIECES: Final = (IDENTITY, STATE, TOTAL, SCRAP, ALARM, CYCLE, ENERGY)
_SIMPLE: Final = (IDENTITY, STATE, TOTAL, ENERGY)
_PROGRAM: Final = (IDENTITY, STATE, ALARM, ENERGY, JOB)
_SERVICE: Final = (IDENTITY, STATE, ALARM, ENERGY)


@dataclass(frozen=True, slots=True)
class AssetClass:
    """Names, required items, and whether such equipment is numerically controlled unless an entry says otherwise."""

    en: str
    zh: str
    required: tuple[str, ...] = _ALL
    automatic: bool = True


GENERAL: Final = "general"

CLASSES: Final[Mapping[str, AssetClass]] = {
    GENERAL: AssetClass("general equipment", "通用设备", automatic=False),
    "cnc": AssetClass("CNC machine tool", "数控机床"),
    "machining-centre": AssetClass("machining centre", "加工中心"),
    "manual-tool": AssetClass("machine tool without control", "普通机床", _SIMPLE, automatic=False),
    "saw": AssetClass("saw", "锯床", _SIMPLE, automatic=False),
    "press": AssetClass("press", "冲压设备", automatic=False),
    "injection": AssetClass("injection moulding machine", "注塑机"),
    "die-casting": AssetClass("die-casting machine", "压铸机"),
    "additive": AssetClass("additive manufacturing machine", "增材制造设备"),
    "robot": AssetClass("industrial robot", "工业机器人", (IDENTITY, STATE, TOTAL, ALARM, CYCLE, ENERGY, JOB)),
    "line": AssetClass("automatic line", "自动化生产线"),
    "assembly": AssetClass("assembly station", "装配设备", _PIECES),
    "welding": AssetClass("welding machine", "焊接设备", _PIECES),
    "packaging": AssetClass("packaging machine", "包装设备"),
    "furnace": AssetClass("furnace or oven", "热处理设备", _PROGRAM),
    "coating": AssetClass("coating or plating plant", "涂装/电镀设备", _PROGRAM),
    "washing": AssetClass("washing machine", "清洗设备", _SERVICE, automatic=False),
    "process": AssetClass("process plant (reactor, mixer, column)", "流程装置", _PROGRAM),
    "inspection": AssetClass("inspection or vision system", "检测设备", (IDENTITY, STATE, TOTAL, SCRAP, ALARM)),
    "logistics": AssetClass("conveyor, AGV or store", "物流设备", _PROGRAM),
    "utility": AssetClass("utility (compressor, chiller, pump)", "公辅设备", _SERVICE),
}

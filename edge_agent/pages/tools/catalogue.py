"""The data-asset catalogue: a row a tag, with whose it is, its identifier, its class of data and its quality. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

HEAD: Final = (
    "tag 变量", "device 采集设备", "type 类型", "unit 单位", "asset 设备", "asset class 设备类别", "location 位置",
    "identifier 标识编码", "scheme 编码体系", "data grade 数据级别", "protocol 协议", "quality now 当前质量",
    "time 时间", "conformity 规范性", "completeness 完整性", "accuracy 准确性", "consistency 一致性",
    "timeliness 时效性", "accessibility 可访问性", "score 综合得分",
)  # fmt: skip
_INDICATORS: Final = ("conformity", "completeness", "accuracy", "consistency", "timeliness", "accessibility", "score")
# A spreadsheet takes a text that begins so for a formula.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def rows(
    tags: Iterable[Mapping[str, Any]], qualities: Mapping[str, Mapping[str, Any]], said: Mapping[str, Any]
) -> Iterator[Sequence[str]]:
    """`tags` and `qualities` as `/tags` and `/digital/tags` have them, `said` as `/digital`."""
    owners = {device: one for one in said["devices"].values() for device in one["entry"]["devices"]}
    owners |= {name: one for name, one in said["devices"].items() if name not in owners}
    for tag in tags:
        device = str(tag["tag"]).partition(".")[0]
        owner = owners.get(device)
        entry = owner["entry"] if owner else {}
        source = said["sources"].get(device, {})
        quality = qualities.get(tag["tag"], {})
        yield [
            _safe(one)
            for one in (
                tag["tag"],
                device,
                tag["kind"],
                tag["unit"],
                entry.get("title"),
                entry.get("class"),
                entry.get("location"),
                entry.get("identifier"),
                entry.get("scheme") if entry.get("identifier") else None,
                entry.get("data_grade"),
                source.get("protocol"),
                tag["quality"],
                tag["time"],
                *(_share(quality.get(name)) for name in _INDICATORS),
            )
        ]


def _share(value: float | None) -> str | None:
    return None if value is None else f"{value:.4f}"


def _safe(value: object) -> str:
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text

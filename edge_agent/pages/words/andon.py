"""Words of the Andon page."""

from __future__ import annotations

from typing import Final

TEXTS: Final[dict[str, tuple[str, str]]] = {
    "andon.site": ("Site", "全厂"),
    "andon.since": ("since {time}", "自 {time}"),
    "andon.good": ("Good", "良品"),
    "andon.of_target": ("of {target}", "/ {target}"),
    "andon.good_pieces": ("good pieces", "件良品"),
    "andon.behind": ("{n} behind", "落后 {n}"),
    "andon.ahead": ("{n} ahead", "超前 {n}"),
    "andon.none": (
        "No machine is configured yet. Add a device and a machine to the site file, or on the page Set-up.",
        "尚未配置设备。请在站点文件或“配置”页面中添加采集设备与机器。",
    ),
    "andon.no_window": ("no shift now", "当前无班次"),
    "andon.no_plan": ("nothing planned", "无计划时间"),
    "andon.no_ideal": ("no ideal cycle", "未设理想节拍"),
    "andon.low": ("little data", "数据不足"),
    "andon.operator": ("said by an operator", "操作员申报"),
    "andon.A": ("Availability", "时间开动率"),
    "andon.P": ("Performance", "性能开动率"),
    "andon.Q": ("Quality", "合格品率"),
    "andon.A.none": ("nothing was planned", "无计划时间"),
    "andon.P.none": ("it has not run, or has no ideal cycle", "尚未运行，或未设理想节拍"),
    "andon.Q.none": ("nothing was made", "尚无产量"),
    "andon.never": ("nothing heard of it yet", "尚未收到数据"),
}

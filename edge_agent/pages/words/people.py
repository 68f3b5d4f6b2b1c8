"""Words of the pages Account and Audit."""

from __future__ import annotations

from typing import Final

TEXTS: Final[dict[str, tuple[str, str]]] = {
    "nav.account": ("Account", "账户"),
    "nav.audit": ("Audit", "审计"),
    "account.old": ("Present password", "当前密码"),
    "account.new": ("New password", "新密码"),
    "account.again": ("New password again", "再次输入新密码"),
    "account.change": ("Change password", "修改密码"),
    "account.changed": ("The password is changed.", "密码已修改。"),
    "account.people": ("Who may log in", "可登录用户"),
    "account.add": ("Add somebody", "添加用户"),
    "account.role": ("Role", "角色"),
    "account.remove": ("Remove", "移除"),
    "audit.total": ("{n} lines", "共 {n} 条"),
    "audit.newer": ("newer", "较新"),
    "audit.older": ("older", "较早"),
    "audit.time": ("When", "时间"),
    "audit.who": ("Who", "操作人"),
    "audit.step": ("Step", "步骤"),
    "audit.what": ("What", "内容"),
    "audit.through": ("Through", "途径"),
    "step.asked": ("asked for", "请求"),
    "step.begun": ("begun", "开始"),
    "step.done": ("done", "完成"),
    "step.failed": ("failed", "失败"),
    "step.refused": ("refused", "拒绝"),
    "step.left_out": ("lines left out", "省略"),
    "step.login": ("logged in", "登录"),
    "step.logout": ("logged out", "退出"),
    "step.user": ("people", "用户"),
    "step.said": ("said", "申报"),
    "step.config": ("site file", "站点文件"),
    "step.certificate": ("certificate", "证书"),
    "step.cut": ("torn line cut off", "截断残行"),
}

"""Words of what is around every page: navigation, login, what is wrong."""

from __future__ import annotations

from typing import Final

TEXTS: Final[dict[str, tuple[str, str]]] = {
    "brand": ("Edge Agent", "边缘采集网关"),
    "nav.andon": ("Andon", "安灯看板"),
    "nav.connections.short": ("Links", "连接"),
    "nav.digital.short": ("Digital", "数字化"),
    "nav.machine": ("Machine", "设备"),
    "shell.language": ("中文", "English"),
    "shell.language.title": ("切换到中文", "Switch to English"),
    "shell.dark": ("Dark", "深色"),
    "shell.light": ("Light", "浅色"),
    "shell.wall": ("Full screen", "全屏"),
    "shell.login": ("Log in", "登录"),
    "shell.logout": ("Log out", "退出登录"),
    "shell.away": (
        "The agent does not answer. What you see is of {time}.",
        "采集网关无应答，当前显示为 {time} 的数据。",
    ),
    "shell.away.now": ("The agent does not answer.", "采集网关无应答。"),
    "shell.away.pages": (
        "No connection since {time}. What you see is of then; this page tries again by itself.",
        "{time} 起连接中断，当前显示为当时的数据，页面将自动重连。",
    ),
    "shell.broken": (
        "This has gone wrong; the log of the pages says why.", "操作出错，详情见页面日志。",
    ),
    "shell.away.first": (
        "The agent does not answer. This page tries again by itself.",
        "采集网关无应答，页面将自动重试。",
    ),
    "shell.refused": ("The agent says: {error}", "采集网关提示：{error}"),
    "shell.role": ("This needs the role {role}.", "此操作需要“{role}”角色。"),
    "shell.nothing": ("Nothing here yet.", "暂无内容。"),
    "shell.close": ("Close", "关闭"),
    "shell.no_data": ("no data", "无数据"),
    "role.viewer": ("viewer", "查看者"),
    "role.operator": ("operator", "操作员"),
    "role.engineer": ("engineer", "工程师"),
    "unit.s": ("s", "秒"),
    "unit.min": ("min", "分"),
    "unit.h": ("h", "时"),
    "unit.d": ("d", "天"),
    # -- login ---------------------------------------------------------------------------------------------
    "login.title": ("Log in", "登录"),
    "login.user": ("User", "用户名"),
    "login.password": ("Password", "密码"),
    "login.again": ("Password again", "再次输入密码"),
    "login.submit": ("Log in", "登录"),
    "login.first.title": ("First visit", "首次访问"),
    "login.first.note": (
        "There is no user yet. The agent has printed a one-time code on its console and in its log; with it you make "
        "the first engineer.",
        "尚无用户。采集网关已在控制台和日志中打印一次性口令，凭此创建第一个工程师账户。",
    ),
    "login.code": ("One-time code", "一次性口令"),
    "login.first.submit": ("Create", "创建"),
    "login.differ": ("The two passwords differ.", "两次输入的密码不一致。"),
    "login.wrong": ("User or password is wrong.", "用户名或密码错误。"),
    "login.wrong_code": (
        "This is not the code that the agent has written on its console and in its log.",
        "口令不正确，请查看采集网关控制台或日志中的一次性口令。",
    ),
    "login.slow": ("Too many wrong attempts. Try again in a minute.", "错误次数过多，请一分钟后再试。"),
    "login.back": ("Back to the pages", "返回页面"),
}

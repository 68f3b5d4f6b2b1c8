"""What a browser finds that asks the API for a page: the way to the pages, or how to get them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from edge_agent.config.http_api import Listen

_PAGE: Final = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Edge Agent</title>
<style>body{{font:1.1rem/1.6 system-ui,sans-serif;max-width:40rem;margin:4rem auto;padding:0 1rem}}</style>
<h1>Edge Agent</h1><p>{english}</p><p lang="zh">{chinese}</p>
<p><code>/api/v1/status</code> · <code>/api/openapi.json</code> · <code>/metrics</code></p></html>
"""
_MISSING: Final = (
    "The agent runs. Its web pages are not installed here: <code>pip install 'edge-agent[ui]'</code>, then restart it.",
    "采集代理正在运行。本机未安装网页界面：请执行 <code>pip install 'edge-agent[ui]'</code>，然后重启。",
)
_OFF: Final = (
    "The agent runs. Its web pages are turned off in the site file (<code>pages: off</code>).",
    "采集代理正在运行。网页界面已在站点文件中关闭（<code>pages: off</code>）。",
)


_HERE_ONLY: Final = (
    "The agent runs. Its web pages are shown on its own machine only; the site file says where else: "
    '<code>pages: {listen: "0.0.0.0:8081", cert: …, key: …}</code>.',
    "采集代理正在运行。网页界面仅限本机访问；如需从其他计算机访问，请在站点文件中写入 "
    '<code>pages: {listen: "0.0.0.0:8081", cert: …, key: …}</code>。',
)
LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


def _plain(texts: tuple[str, str]) -> Response:
    return HTMLResponse(_PAGE.format(english=texts[0], chinese=texts[1]))


@dataclass(frozen=True, slots=True)
class Pages:
    """Where the pages of this agent listen (None: they are off), and whether they are there at all."""

    listen: Listen | None
    secure: bool
    installed: bool


NO_PAGES: Final = Pages(None, secure=False, installed=False)


def add_entrance(app: FastAPI, pages: Pages) -> None:
    """Add the route to the application."""

    @app.get("/", include_in_schema=False)
    async def entrance(request: Request) -> Response:
        """To the pages, on the host by which the agent was asked for."""
        host = urlsplit(f"//{request.headers.get('host', '')}").hostname or ""
        if pages.listen is None or not pages.installed:
            return _plain(_OFF if pages.listen is None else _MISSING)
        if pages.listen.is_loopback and host not in LOOPBACK:
            return _plain(_HERE_ONLY)
        place = Listen(host or pages.listen.host, pages.listen.port)
        return RedirectResponse(f"{'https' if pages.secure else 'http'}://{place}/", 307)

"""What a browser finds that asks the API for a page."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edge_agent import front
from tests.peers.certificates import Authority


async def test_the_way_to_the_pages_is_on_the_same_host(
    run_site: Callable[..., Any], site_text: Callable[..., str], monkeypatch: Any
) -> None:
    monkeypatch.setattr(front, "are_installed", lambda: True)
    async with run_site(site_text() + "pages: {listen: '127.0.0.1:8089'}\n") as agent:
        for host, place in {"localhost": "localhost", "127.0.0.1:1": "127.0.0.1", "[::1]:8080": "[::1]"}.items():
            reply = await agent.get("/", headers={"Host": host})
            assert (reply.status, reply.headers["location"]) == (307, f"http://{place}:8089/")


async def test_pages_that_are_on_this_machine_only_are_no_way_for_others(
    run_site: Callable[..., Any], site_text: Callable[..., str], tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr(front, "are_installed", lambda: True)
    authority = Authority(tmp_path)
    cert, key = authority.issue("gw-1")
    text = site_text().replace("127.0.0.1:0", "0.0.0.0:0").replace("tokens:", f"cert: {cert}, key: {key}, tokens:")
    tls = ssl.create_default_context(cafile=authority.ca)
    async with run_site(text) as agent:
        reply = await agent.get("/", tls=tls, headers={"Host": "gw-1"})
        assert (reply.status, "on its own machine only" in reply.body.decode()) == (200, True)
        assert (await agent.get("/", tls=tls)).status == 307


async def test_without_pages_one_plain_page_says_how_to_get_them(
    run_site: Callable[..., Any], site_text: Callable[..., str], monkeypatch: Any
) -> None:
    monkeypatch.setattr(front, "are_installed", lambda: False)
    async with run_site(site_text()) as agent:
        reply = await agent.get("/")
        assert (reply.status, "pip install 'edge-agent[ui]'" in reply.body.decode()) == (200, True)
    async with run_site(site_text() + "pages: off\n") as agent:
        assert "pages: off" in (await agent.get("/")).body.decode()

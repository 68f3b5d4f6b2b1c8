"""What a browser finds that asks the API for a page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from edge_agent import front


async def test_the_way_to_the_pages_is_on_the_same_host(
    run_site: Callable[..., Any], site_text: Callable[..., str], monkeypatch: Any
) -> None:
    monkeypatch.setattr(front, "are_installed", lambda: True)
    async with run_site(site_text() + "pages: {listen: '127.0.0.1:8089'}\n") as agent:
        for host, place in {"localhost": "localhost", "127.0.0.1:1": "127.0.0.1", "[::1]:8080": "[::1]"}.items():
            reply = await agent.get("/", headers={"Host": host})
            assert (reply.status, reply.headers["location"]) == (307, f"http://{place}:8089/")


async def test_without_pages_one_plain_page_says_how_to_get_them(
    run_site: Callable[..., Any], site_text: Callable[..., str], monkeypatch: Any
) -> None:
    monkeypatch.setattr(front, "are_installed", lambda: False)
    async with run_site(site_text()) as agent:
        reply = await agent.get("/")
        assert (reply.status, "pip install 'edge-agent[ui]'" in reply.body.decode()) == (200, True)
    async with run_site(site_text() + "pages: off\n") as agent:
        assert "pages: off" in (await agent.get("/")).body.decode()

"""Looking at equipment that is not in the site file yet, for engineers with a page open."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from edge_agent.api import AccessDenied, Branch, DriverPlugin, Inquiry, NotConnected
from edge_agent.web.browse import AT_ONCE, Busy, Looker, NotFound, best, browser, plain


class Tools:
    """Equipment that answers as told."""

    schemes = ("toy",)

    def __init__(self) -> None:
        self.go_on = asyncio.Event()
        self.keys: Mapping[str, Any] = {}

    async def browse(self, url: str, node: str, inquiry: Inquiry) -> Branch:
        self.keys = inquiry.keys
        inquiry.tell(f"looking at {url}")
        if "gone" in url:
            raise NotConnected("nobody answers")
        if "closed" in url:
            raise AccessDenied("who are you?")
        if "talks" in url:
            inquiry.tell(f"knocking with {inquiry.keys}")
            raise NotConnected(f"not with {inquiry.keys['login']['password']}")
        if "slow" in url:
            await self.go_on.wait()
        return Branch([{"node": node}])


def looker(tools: Any, folder: Path = Path()) -> Looker:
    plugin = cast(DriverPlugin, SimpleNamespace(tools=tools))
    return Looker({"toy": plugin, "none": cast(DriverPlugin, SimpleNamespace(tools=None))}, folder)


async def look(held: Looker, url: str, keys: Mapping[str, Any] | None = None) -> tuple[Branch, Sequence[str]]:
    return await held.ask(url, keys or {}, {}, lambda tools, inquiry: browser(tools, url).browse(url, "x", inquiry))


async def test_the_driver_of_the_scheme_answers_and_what_it_tells_comes_along() -> None:
    found, told = await look(looker(Tools()), "toy://here")
    assert found.children == [{"node": "x"}]
    assert told == ["looking at toy://here"]


@pytest.mark.parametrize(
    ("url", "status", "why"),
    [("toy://gone", 502, "nobody answers"), ("toy://closed", 502, "who are you"), ("http://x", 422, "toy://")],
)
async def test_what_goes_wrong_is_said(url: str, status: int, why: str) -> None:
    with pytest.raises(NotFound, match=why) as caught:
        await look(looker(Tools()), url)
    assert caught.value.status == status


async def test_few_look_at_once_and_those_after_them_are_told_so() -> None:
    tools = Tools()
    held = looker(tools)
    waiting = [asyncio.create_task(look(held, "toy://slow")) for _ in range(AT_ONCE)]
    await asyncio.sleep(0)
    with pytest.raises(Busy):
        await look(held, "toy://here")
    tools.go_on.set()
    await asyncio.gather(*waiting)
    await look(held, "toy://here")


async def test_a_password_comes_from_where_the_site_file_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tools = Tools()
    monkeypatch.setenv("PLC_PASSWORD", "secret")
    await look(looker(tools, tmp_path), "toy://here", {"login": {"password": "${PLC_PASSWORD}"}})
    assert tools.keys == {"login": {"password": "secret"}}
    with pytest.raises(NotFound, match=r"login\.password") as caught:
        await look(looker(tools, tmp_path), "toy://here", {"login": {"password": "${NEVER_SET}"}})
    assert caught.value.status == 422


async def test_a_secret_is_in_nothing_that_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLC_PASSWORD", "5ecr3t")
    with pytest.raises(NotFound) as caught:
        await look(looker(Tools()), "toy://talks", {"login": {"password": "${PLC_PASSWORD}"}})
    assert "5ecr3t" not in str(caught.value)
    assert "not with ${PLC_PASSWORD}" in str(caught.value)


async def test_equipment_without_a_tree_says_so() -> None:
    with pytest.raises(NotFound, match="no tree"):
        await look(looker(SimpleNamespace(schemes=("toy",))), "toy://here")


def test_the_best_readings_of_each_address_are_shown_and_every_value_can_be_said() -> None:
    rows = [{"address": address, "n": n} for address in "ab" for n in range(5)]
    assert [(row["address"], row["n"]) for row in best(rows, 2)] == [("a", 0), ("a", 1), ("b", 0), ("b", 1)]
    assert [plain(one) for one in (1, 1.5, float("nan"), True, b"x")] == [1, 1.5, "nan", True, "b'x'"]

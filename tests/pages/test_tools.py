"""Tags, Connections and Digitalisation in a real browser: what is drawn is what the API says."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import Any

import pytest

from tests.pages.conftest import PHONE, Stage
from tests.peers.waiting import wait_for

pytestmark = [pytest.mark.peer, pytest.mark.timeout(900)]

DESK = (1440, 900)


def rows(page: Any) -> list[str]:
    """The names in the table of tags."""
    return list(page.locator(".tagplace").evaluate_all("all => all.map(one => one.dataset.tag)"))


def test_the_table_has_every_tag_with_its_value_and_finds_them(stage: Stage, shown: Callable[..., Any]) -> None:
    page = stage.open("/tags", size=DESK)
    page.wait_for_selector(".tagplace")
    names = [one["tag"] for one in stage.ask("/tags?limit=1000")["tags"]]
    assert rows(page) == names
    state = page.locator('[data-tag="press-1.state"] .c-value')
    shown(state.inner_text, lambda: str(stage.ask("/tags/press-1.state")["value"]), "the state is the API's")
    wait_for(lambda: page.locator(".spark polyline").count() > 3, 30, "there are curves")
    stage.picture(page, "tags-en")
    page.get_by_placeholder("Search a tag").fill("press-2 total")
    wait_for(lambda: rows(page) == ["press-2.total"], 20, "one tag is found")
    page.get_by_placeholder("Search a tag").fill("")
    wait_for(lambda: rows(page) == names, 20, "all are back")
    page.locator(".chip", has_text="bad").click()
    bad = [one["tag"] for one in stage.ask("/tags?quality=bad")["tags"]]
    wait_for(lambda: rows(page) == bad, 20, "only those without a good value")


def test_a_tag_is_opened_with_its_past_and_the_reasons_behind_it(stage: Stage) -> None:
    page = stage.open("/tags", language="zh", theme="dark", size=DESK)
    page.locator(".spark polyline").first.wait_for(state="attached")
    stage.picture(page, "tags-zh")
    page.locator('[data-tag="press-1.total"]').click()
    detail = page.locator(".detail:visible")
    detail.locator("canvas").wait_for()
    told = stage.ask("/tags/press-1.total")["why"]
    wait_for(lambda: detail.locator(".chain li").count() == len(told), 20, "all reasons are there")
    assert detail.locator("h2").inner_text().split() == ["press-1", "total"]
    stage.picture(page, "tag-zh", whole=False)
    page.keyboard.press("Escape")
    detail.wait_for(state="hidden")


def test_connections_are_those_of_the_agent(stage: Stage, shown: Callable[..., Any]) -> None:
    page = stage.open("/connections", size=DESK)
    page.wait_for_selector("[data-device]")
    devices = {one["id"]: one for one in stage.ask("/devices")["devices"]}
    assert set(page.locator("[data-device]").evaluate_all("all => all.map(one => one.dataset.device)")) == set(devices)
    for name, device in devices.items():
        row = page.locator(f'[data-device="{name}"]')
        assert device["address"] in row.inner_text()
        shown(
            lambda row=row: row.locator(".line-tags .q-good").last.inner_text().strip("● \n"),
            lambda name=name: str(next(d for d in stage.ask("/devices")["devices"] if d["id"] == name)["tags"]["good"]),
            "good tags are counted as the API does",
        )
    assert page.locator(".line.is-connected").count() == len(devices)
    stage.picture(page, "connections-en")
    stage.picture(stage.open("/connections", language="zh", theme="dark", size=DESK), "connections-zh")


def test_how_digital_the_plant_is_is_what_the_agent_says(stage: Stage, shown: Callable[..., Any]) -> None:
    page = stage.open("/digital", size=DESK)
    page.wait_for_selector(".asset")

    def told() -> list[str]:
        rate = stage.ask("/digital")["indices"]["device_digital_rate"]
        return [f"{rate * 100:.1f}%"]

    shown(
        lambda: [page.locator(".index .n b").first.inner_text().replace("\u202f", "")],
        told,
        "the first index is the API's",
    )
    assert page.locator(".asset").count() == len(stage.ask("/digital")["devices"])
    reasons = stage.ask("/digital")["devices"]["press-1"]["reasons"]
    if reasons:
        assert reasons[0]["en"].split("%")[0][:12] in page.locator('[data-asset="press-1"]').inner_text()
    page.locator(".radar canvas").wait_for()
    stage.picture(page, "digital-en")
    zh = stage.open("/digital", language="zh", theme="dark", size=DESK)
    zh.locator(".radar canvas").wait_for()
    assert "生产设备数字化率" in zh.locator(".index").first.inner_text()
    stage.picture(zh, "digital-zh")


def test_reports_and_the_catalogue_are_downloaded(stage: Stage) -> None:
    page = stage.open("/digital", size=DESK)
    page.wait_for_selector(".file")
    kinds = {"report.html": b"<!doctype html", "report.xlsx": b"PK", "sme.html": b"<!doctype html"}
    for name, begin in kinds.items():
        answer = page.request.get(f"{stage.url}/digital/{name}?lang=zh")
        assert answer.ok
        assert answer.body()[:20].lower().startswith(begin.lower())
        assert f"-{name.partition('.')[0]}-" in answer.headers["content-disposition"]
    answer = page.request.get(f"{stage.url}/digital/catalogue.csv")
    found = list(csv.reader(io.StringIO(answer.body().decode("utf-8-sig"))))
    assert [row[0] for row in found[1:]] == [one["tag"] for one in stage.ask("/tags?limit=1000")["tags"]]
    assert page.request.get(f"{stage.url}/digital/other.txt").status == 404


@pytest.mark.parametrize("path", ["/tags", "/connections", "/digital"])
def test_on_a_phone_nothing_is_wider_than_the_screen_and_nothing_comes_from_elsewhere(stage: Stage, path: str) -> None:
    page = stage.open(path, language="zh", size=PHONE)
    page.wait_for_selector(".tagplace, [data-device], .asset")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
    stage.picture(page, f"{path[1:]}-phone", whole=False)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.reload()
    page.wait_for_selector(".tagplace, [data-device], .asset")
    assert [one for one in asked if not one.startswith((stage.url, "data:", "blob:"))] == []

"""The Andon board in a real browser, on a real agent: what is drawn is what the API says."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest

from edge_agent.pages.words import Words
from tests.pages.conftest import LOOKS, WALL, Stage

pytestmark = pytest.mark.timeout(900)

# What a tile shows, read from the page by the browser.
READ = """() => Object.fromEntries([...document.querySelectorAll(".tile")].map((tile) => [tile.dataset.machine, {
  state: tile.querySelector(".why span").textContent,
  colour: getComputedStyle(tile.querySelector("header")).backgroundColor,
  oee: tile.querySelector(".ring .figure").textContent,
  factors: [...tile.querySelectorAll("dd b")].map((one) => one.textContent),
  good: tile.querySelector(".pieces b").textContent,
  job: tile.querySelector(".job").textContent,
}]))"""
COLOURS = {"RUN": (0, 158, 115), "IDLE": (240, 228, 66), "SETUP": (86, 180, 233), "FAULT": (213, 94, 0)}


def told(stage: Stage, words: Words) -> dict[str, Any]:
    """The same, as the API has it."""
    return {
        one["id"]: {
            "state": words(f"state.{one['state']}"),
            "colour": "rgb({}, {}, {})".format(*COLOURS[one["state"]]),
            "oee": Words("en").whole_percent(one["oee"]),
            "factors": [words.whole_percent(one[key]) for key in ("availability", "performance", "quality")],
            "good": words.number(one["good"]),
            "job": " · ".join(one[key] for key in ("product", "order") if one[key]),
        }
        for one in stage.ask("/overview")["machines"]
    }


def test_each_machine_has_a_tile_that_says_what_the_api_says_and_follows_it(
    stage: Stage, shown: Callable[..., Any]
) -> None:
    words = Words("en")
    page = stage.open("/")
    first = shown(lambda: page.evaluate(READ), lambda: told(stage, words), "the tiles agree with the API")
    assert set(first) == {"press-1", "press-2", "cnc-7"}
    page.wait_for_function(f"(before) => ({READ})()['press-1'].good !== before", arg=first["press-1"]["good"])
    shown(lambda: page.evaluate(READ), lambda: told(stage, words), "they agree again after a while")


def test_the_site_and_its_lines_are_rolled_up_above(stage: Stage, shown: Callable[..., Any]) -> None:
    page = stage.open("/")

    def drawn() -> Any:
        return page.evaluate(
            """() => [...document.querySelectorAll(".rollup")].map((one) => [
              one.dataset.key, one.querySelector(".figure").textContent,
              [...one.querySelectorAll(".count")].map((count) => Number(count.textContent)).reduce((a, b) => a + b, 0),
            ])"""
        )

    def api() -> Any:
        groups = [one for one in stage.ask("/overview")["groups"] if one["scope"] != "area"]
        return [
            [f"{one['scope']}:{one['id']}", Words("en").whole_percent(one["oee"]), len(one["machines"])]
            for one in groups
        ]

    found = shown(drawn, api, "the roll-ups agree with the API")
    assert found[0][0].startswith("site:")
    page.click('.rollup[data-key="line:demo"]')
    assert page.locator(".board > .place:visible").count() == 3


def test_a_click_on_a_tile_leads_to_the_machine(stage: Stage) -> None:
    page = stage.open("/")
    page.click('.tile[data-machine="press-2"]')
    page.wait_for_url("**/machine/press-2")
    assert page.locator("h1").inner_text() == "press-2"


def test_the_language_is_switched_on_the_page_and_stays(stage: Stage) -> None:
    page = stage.open("/")
    page.click("button.language")
    page.wait_for_selector("nav a.here >> text=安灯看板")
    states = page.locator(".tile .why span").all_inner_texts()
    assert all(re.search("[\u4e00-\u9fff]", state) for state in states)
    page.reload()
    assert page.evaluate("document.documentElement.lang") == "zh"
    page.click("button.language")
    page.wait_for_selector("nav a.here >> text=Andon")


def test_the_colours_are_switched_on_the_page_and_stay(stage: Stage) -> None:
    page = stage.open("/", theme="dark")
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.click("button[onclick=\"edge.theme('light')\"]")
    page.wait_for_function("document.documentElement.dataset.theme === 'light'")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != dark


def test_a_state_has_a_shape_and_a_word_besides_its_colour(stage: Stage) -> None:
    page = stage.open("/")
    tiles = page.locator(".tile").all()
    assert all(tile.locator("header .shape path").get_attribute("d") for tile in tiles)
    assert all(tile.locator(".why span").inner_text() for tile in tiles)


@pytest.mark.parametrize("path", ["/", "/machine/press-1", "/login"])
def test_nothing_is_asked_of_anybody_else_and_nothing_goes_wrong_in_the_browser(stage: Stage, path: str) -> None:
    stage.close()
    context = stage.browser.new_context()
    page = context.new_page()
    asked: list[str] = []
    wrong: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("websocket", lambda socket: asked.append(socket.url))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    page.goto(stage.url + path)
    page.wait_for_load_state("networkidle" if path == "/login" else "load")
    page.wait_for_selector("main")
    page.wait_for_timeout(2000)     # for what a page might fetch after it is there
    assert {urlsplit(url).netloc for url in asked if not url.startswith("data:")} == {urlsplit(stage.url).netloc}
    assert wrong == []
    context.close()


@pytest.mark.parametrize(("language", "theme", "size"), LOOKS)
def test_the_board_fits_the_screen(stage: Stage, language: str, theme: str, size: tuple[int, int]) -> None:
    page = stage.open("/", language, theme, size)
    page.wait_for_function("document.querySelector('.board').style.getPropertyValue('--columns')")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    if size == WALL:
        assert page.evaluate("document.documentElement.scrollHeight <= innerHeight")
        # Five metres away a letter of a fiftieth of a metre is read; a screen of 55 inches has 1.6 px a millimetre.
        assert page.evaluate("parseFloat(getComputedStyle(document.querySelector('.tile header b')).fontSize)") >= 32
    stage.picture(page, f"andon-{language}-{'wall' if size == WALL else 'phone'}", whole=False)

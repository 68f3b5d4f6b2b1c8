"""The Machine page in a real browser, on a real agent: pictures, figures, what is behind them, reasons of stops."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from edge_agent.pages.words import Words, milliseconds
from tests.pages.conftest import PHONE, WALL, Stage
from tests.peers.waiting import wait_for

# What a chart was told to draw, as the chart itself has it.
OPTIONS = """(name) => {
  const place = document.querySelector(`.chart.${name}`);
  return place.offsetParent && JSON.parse(JSON.stringify(getElement(Number(place.id.slice(1))).chart.getOption()));
}"""


def drawn(page: Any, name: str) -> Any:
    """The options of a chart that is seen; None if it is not."""
    return page.evaluate(OPTIONS, name)


def machine(stage: Stage, **wishes: Any) -> Any:
    """The page of the first machine, its pictures there."""
    page = stage.open("/machine/press-1", **wishes)
    page.wait_for_selector(".chart.timeline canvas")
    return page


def test_the_timeline_shows_the_states_of_the_shift(stage: Stage) -> None:
    page = machine(stage)
    items = [one["value"] for one in drawn(page, "timeline")["series"][0]["data"] if one["value"][2] == 0]
    begin = stage.ask("/machines/press-1/losses")["window"]["start"]
    told = stage.ask("/machines/press-1/spans?start=" + begin.replace("+", "%2B"))["spans"]
    for (start, end, _, mark), span in list(zip(items, told, strict=False))[:-2]:
        assert mark == Words("en")(f"mark.{span['state']}")
        assert start == max(milliseconds(span["start"]), milliseconds(begin))
        assert end == milliseconds(span["end"])
    assert len(items) >= 3


def test_a_zoom_of_the_timeline_stays_while_new_data_come(stage: Stage) -> None:
    page = machine(stage)
    find = "getElement(Number(document.querySelector('.chart.timeline').id.slice(1))).chart"
    page.evaluate(f"() => {find}.dispatchAction({{type: 'dataZoom', start: 10, end: 40}})")
    before = len(drawn(page, "timeline")["series"][0]["data"])
    wait_for(lambda: len(drawn(page, "timeline")["series"][0]["data"]) > before, 60, "the timeline grows")
    zoom = drawn(page, "timeline")["dataZoom"][0]
    assert (round(zoom["start"]), round(zoom["end"])) == (10, 40)


def test_the_losses_add_up_to_the_planned_time_as_the_api_has_them(stage: Stage, shown: Callable[..., Any]) -> None:
    page = machine(stage)

    def bars() -> Any:
        hidden, seen = drawn(page, "losses")["series"]
        return [round(bar["value"], 6) for bar in seen["data"]], [round(value, 6) for value in hidden["data"]]

    def api() -> Any:
        said = stage.ask("/machines/press-1/losses")
        steps = [one for one in said["steps"] if one["seconds"] or one["name"] == "good"]
        under = [0 if one["name"] == "good" else min(one["before_s"], one["after_s"]) for one in steps]
        whole = [said["planned_s"], *(abs(one["seconds"]) for one in steps)]
        return [round(value, 6) for value in whole], [0, *(round(value, 6) for value in under)]

    found, _ = shown(bars, api, "the waterfall agrees with the API")
    assert len(found) >= 4


def test_stops_cycles_pieces_and_kpis_are_those_of_the_api(stage: Stage, shown: Callable[..., Any]) -> None:
    page, words = machine(stage), Words("en")

    def seen() -> Any:
        pieces = drawn(page, "production")["series"][2]["data"]
        return {
            "reasons": len(drawn(page, "pareto")["series"][0]["data"]),
            "cycles": sum(bar["value"][2] for bar in drawn(page, "cycles")["series"][0]["data"]),
            "good": pieces[-1][1],
            "oee": page.locator('.kpi[data-figure="oee"] b').inner_text(),
            "stops": page.locator(".stop").count(),
        }

    def told() -> Any:
        stops, cycles = stage.ask("/machines/press-1/stops?limit=200"), stage.ask("/machines/press-1/cycles")
        return {
            "reasons": min(len(stops["pareto"]), 8),
            "cycles": sum(bar["n"] for bar in cycles["products"][0]["histogram"]),
            "good": stage.ask("/machines/press-1/production")["points"][-1]["good"],
            "oee": words.percent(stage.ask("/machines/press-1/losses")["kpi"]["oee"], 2),
            "stops": len(stops["stops"]),
        }

    shown(seen, told, "the page agrees with the API")
    assert drawn(page, "energy") is None
    assert page.get_by_text(words("machine.not_metered")).is_visible()


@pytest.mark.parametrize("figure", ["oee", "availability_classic", "gq"])
def test_a_click_on_a_number_shows_what_it_is_made_of(stage: Stage, figure: str) -> None:
    page = machine(stage)
    page.locator(f'.summary [data-figure="{figure}"]').click()
    page.wait_for_selector(".explain .value")
    said = stage.ask(f"/machines/press-1/explain?kpi={figure}")
    text = page.locator(".explain").inner_text()
    for tag in said["tags"]:
        assert tag["tag"] in text
    for one in said["inputs"]:
        assert one["name"] in text
    assert (said["formula"] or "") in text
    assert page.locator(".explain tbody tr").count() >= 1


def test_a_click_on_a_loss_shows_the_stretches_behind_it(stage: Stage) -> None:
    page = machine(stage)
    box = page.locator(".chart.losses canvas").bounding_box()
    # The first bar: planned busy time.
    page.mouse.click(box["x"] + box["width"] * 0.5, box["y"] + 14)
    page.wait_for_selector(".explain .value")
    assert "pbt" in page.locator(".explain").inner_html().lower() or page.locator(".explain tbody tr").count()


def test_who_has_not_logged_in_cannot_name_a_stop(stage: Stage) -> None:
    page = machine(stage)
    page.locator(".stop").first.wait_for()
    assert page.locator("button.stop").count() == 0


def unnamed(stage: Stage) -> list[dict[str, Any]]:
    return [one for one in stage.ask("/machines/press-1/stops?limit=200")["stops"] if not one["reason"] and one["end"]]


def test_a_stop_is_given_its_reason_by_two_clicks_and_it_is_in_the_audit_log(stage: Stage) -> None:
    page = machine(stage, user="anna")
    stop = wait_for(lambda: unnamed(stage), 60, "a stop without a reason")[0]
    page.locator(f'.stop[data-stop="{stop["id"]}"]').click()
    page.locator('#why-stop [data-reason="STARVED"]').click()
    wait_for(
        lambda: any(one["start"] == stop["start"] and one["reason"] == "STARVED" for one in stops(stage)),
        30,
        "the agent knows the reason",
    )
    page.locator(f'.stop[data-stop="{stop["id"]}"] >> text=Starved').wait_for()
    entries = [json.loads(line) for line in (stage.folder / "data" / "audit.log").read_text().splitlines()]
    assert any("STARVED" in json.dumps(one) and "anna" in json.dumps(one) for one in entries)


def stops(stage: Stage) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = stage.ask("/machines/press-1/stops?limit=200")["stops"]
    return found


def test_without_a_connection_a_reason_waits_in_the_browser_and_is_sent_later(stage: Stage) -> None:
    page = machine(stage, user="anna")
    stop = wait_for(lambda: unnamed(stage), 60, "a stop without a reason")[0]
    place = page.locator(f'.stop[data-stop="{stop["id"]}"]')
    place.wait_for()
    page.context.set_offline(True)
    place.click()
    page.locator("#why-stop input").fill("die change")
    page.locator("#why-stop form button").click()
    page.wait_for_selector(".queued:visible")
    assert not any(one["reason"] == "die change" for one in stops(stage))
    page.context.set_offline(False)
    wait_for(lambda: any(one["reason"] == "die change" for one in stops(stage)), 60, "the reason arrives")


def test_a_machine_that_is_not_there_is_said_not_to_be(stage: Stage) -> None:
    page = stage.open("/machine/press-9")
    page.get_by_text("there is no machine press-9").wait_for()


@pytest.mark.parametrize(("name", "size"), [("wall", WALL), ("phone", PHONE)])
def test_the_page_fits_the_screen(stage: Stage, name: str, size: tuple[int, int]) -> None:
    for language in ("en", "zh"):
        for theme in ("light", "dark"):
            page = machine(stage, language=language, theme=theme, size=size)
            page.wait_for_selector(".kpi")
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            page.wait_for_timeout(500)      # the charts draw in the next frames
            stage.picture(page, f"machine-{language}-{theme}-{name}")

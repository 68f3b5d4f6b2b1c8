"""The Machine page in a real browser, on a real agent: pictures, figures, what is behind them, reasons of stops."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest

from edge_agent.pages.machine.explain import OF_LOSS
from edge_agent.pages.machine.figures import ENERGY, RATIOS, amount
from edge_agent.pages.machine.pace import GROUPS
from edge_agent.pages.words import Words, milliseconds
from edge_agent.report.words import percentage
from tests.pages.conftest import LOOKS, WALL, Stage
from tests.peers.waiting import wait_for

pytestmark = pytest.mark.timeout(900)

# What a chart was told to draw, as the chart itself has it.
OPTIONS = """(name) => {
  const place = document.querySelector(`.chart.${name}`);
  const chart = place?.offsetParent && getElement(Number(place.id.slice(1)))?.chart;
  return chart ? JSON.parse(JSON.stringify(chart.getOption())) : null;
}"""


KPIS = """() => Object.fromEntries([...document.querySelectorAll(".kpi")].map(
  (one) => [one.dataset.figure, one.querySelector("b").textContent]))"""
# So many are enough to see that they follow each other; the press has them within seconds.
STATES = 4


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

    def states() -> Any:
        chart = drawn(page, "timeline") or {"series": [{"data": []}]}
        items = [one["value"] for one in chart["series"][0]["data"] if one["value"][2] == 0]
        return items if len(items) >= STATES else None

    items = wait_for(states, 60, "the press has been in some states")
    begin = stage.ask("/machines/press-1/losses")["window"]["start"]
    told = stage.ask("/machines/press-1/spans?start=" + begin.replace("+", "%2B"))["spans"]
    for (start, end, _, mark), span in list(zip(items, told, strict=False))[:-2]:
        assert mark == Words("en")(f"mark.{span['state']}")
        assert start == max(milliseconds(span["start"]), milliseconds(begin))
        assert end == milliseconds(span["end"])


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
        chart = drawn(page, "losses")
        if chart is None:
            return None
        hidden, seen = chart["series"]
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
        charts = [drawn(page, name) for name in ("production", "pareto", "cycles", "energy")]
        if None in charts:
            return None
        production, pareto, cycles, energy = (chart["series"] for chart in charts)
        hours = charts[-1]["xAxis"]
        return {
            "reasons": len(pareto[0]["data"]),
            "cycles": sum(bar["value"][2] for bar in cycles[0]["data"]),
            "good": production[2]["data"][-1][1],
            "kpis": page.evaluate(KPIS),
            "targets": page.locator(".planned").inner_text(),
            "energy": {one["name"]: one["data"] for one in energy},
            "hours": hours[0]["data"],
            "stops": page.locator(".stop").count(),
        }

    def told() -> Any:
        stops, cycles, made, used = (
            stage.ask(f"/machines/press-1/{what}") for what in ("stops?limit=200", "cycles", "production", "energy")
        )
        known = stage.ask("/machines/press-1/losses")["kpi"]
        kpis = {
            name: words("shell.no_data") if known[name] is None else words.percent(known[name], 2)
            for name in RATIOS
            if name in known
        }
        kpis |= {
            name: amount(used["kpi"][name], unit, words)
            for name, unit in ENERGY.items()
            if used["kpi"].get(name) is not None
        }
        now, end = words.number(made["target"]), words.number(made["target_end"])
        return {
            "reasons": min(len(stops["pareto"]), 8),
            "cycles": sum(bar["n"] for bar in cycles["products"][0]["histogram"]),
            "good": made["points"][-1]["good"],
            "kpis": kpis,
            "targets": f"{words('machine.planned')}: {words('machine.target', now=now, end=end)}",
            "energy": {
                words(f"machine.{group}"): [
                    None if one["wh"].get(group) is None else round(one["wh"][group] / 1000, 3) for one in used["hours"]
                ]
                for group, _ in GROUPS
            },
            "hours": [words.hour(one["start"]) for one in used["hours"]],
            "stops": len(stops["stops"]),
        }

    shown(seen, told, "the page agrees with the API")


def test_a_machine_without_a_meter_says_that_it_has_none(stage: Stage) -> None:
    page = stage.open("/machine/press-2")
    page.get_by_text(Words("en")("machine.not_metered")).wait_for()
    assert drawn(page, "energy") is None


def test_behind_each_number_of_the_page_there_is_something_to_be_shown(stage: Stage) -> None:
    page = machine(stage)
    page.wait_for_selector(".kpi")
    figures = set(page.locator("[data-figure]").evaluate_all("all => all.map(one => one.dataset.figure)"))
    assert {"oee", "gq", "sq", "data_coverage", "total_kwh"} <= figures
    for figure in (*figures, *OF_LOSS.values(), "pbt"):
        said = stage.ask(f"/machines/press-1/explain?kpi={figure}")
        assert said["name"] == figure
        assert said["tags"]


def test_the_state_under_the_pointer_is_told_with_its_time(stage: Stage) -> None:
    page = machine(stage)
    box = page.locator(".chart.timeline canvas").bounding_box()
    plan = Words("en")("plan.label.busy")
    # What is to come has no state: the shift has just begun.
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] - 68)
    page.locator(".chart.timeline", has_text=plan).wait_for()
    find = "getElement(Number(document.querySelector('.chart.timeline').id.slice(1))).chart"
    page.evaluate(f"() => {find}.dispatchAction({{type: 'showTip', seriesIndex: 0, dataIndex: 1}})")
    span = drawn(page, "timeline")["series"][0]["data"][1]
    assert Words("en")("state.RUN") in span["tip"] or Words("en")("state.IDLE") in span["tip"]
    page.locator(".chart.timeline", has_text=span["tip"].partition("<b>")[2].partition("</b>")[0]).wait_for()


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


def test_a_click_on_a_reason_shows_the_stretches_behind_it(stage: Stage) -> None:
    page = machine(stage)
    wait_for(lambda: drawn(page, "pareto"), 60, "there are stops")
    box = page.locator(".chart.pareto canvas").bounding_box()
    # The longest reason is the first bar, which begins behind the names.
    bars = len(drawn(page, "pareto")["series"][0]["data"])
    page.mouse.click(box["x"] + box["width"] * 0.5, box["y"] + 8 + (box["height"] - 12) / bars / 2)
    page.wait_for_selector(".explain tbody tr")


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


# Draws the list, or the timeline, as if something had changed: what is pressed on is gone.
REDRAW = """(what) => {
  const list = document.querySelector(".stops"), place = document.querySelector(".chart.timeline");
  if (what === "list") return void (list.innerHTML = list.innerHTML);
  const chart = getElement(Number(place.id.slice(1))).chart, same = chart.getOption();
  chart.clear();
  chart.setOption(same);
}"""
# Where on the screen the middle of a stretch of time is.
PLACE = """([start, end]) => {
  const place = document.querySelector(".chart.timeline"), box = place.getBoundingClientRect();
  const chart = getElement(Number(place.id.slice(1))).chart;
  return [box.left + chart.convertToPixel({ xAxisIndex: 0 }, (start + end) / 2), box.top + 40];
}"""


@pytest.mark.parametrize("place", ["list", "timeline"])
def test_a_click_on_a_stop_counts_though_it_is_drawn_anew_meanwhile(stage: Stage, place: str) -> None:
    page = machine(stage, user="anna")
    stop = wait_for(lambda: [one for one in stops(stage) if one["end"] and one["seconds"] >= 1], 60, "a stop")[0]
    row = page.locator(f'.stop[data-stop="{stop["id"]}"]')
    row.wait_for()
    row.scroll_into_view_if_needed()
    box = row.bounding_box()
    x, y = box["x"] + 20, box["y"] + 10
    if place == "timeline":
        page.locator(".chart.timeline").scroll_into_view_if_needed()
        x, y = page.evaluate(PLACE, [milliseconds(stop["start"]), milliseconds(stop["end"])])
    page.mouse.move(x, y)
    page.mouse.down()
    page.evaluate(REDRAW, place)
    page.mouse.up()
    page.locator("#why-stop[open]").wait_for()
    told = Words("en").hour(stop["start"], seconds=True)
    assert told in page.locator("#why-stop .which").inner_text()


def test_the_head_and_the_table_are_of_one_reading(stage: Stage) -> None:
    page = machine(stage)
    page.wait_for_selector(".kpi")
    both = """() => ["summary", "kpis"].map((one) => document.querySelector(
      one === "summary" ? ".summary .ring .figure" : '.kpi[data-figure="oee"] b').textContent)"""
    seen: set[str] = set()
    # Over two publications of figures.
    def agreed() -> bool:
        head, table = page.evaluate(both)
        assert abs(float(head) - float(table.split("\u202f")[0])) <= 0.06
        seen.add(head)
        return len(seen) > 2

    wait_for(agreed, 60, "the figures have changed twice")


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


def test_the_figures_of_a_window_are_those_of_that_window(stage: Stage) -> None:
    end = datetime.fromisoformat(stage.ask("/machines/press-1/losses")["as_of"])
    window = quote(f"{(end - timedelta(seconds=20)).isoformat()}/{end.isoformat()}", safe="")
    oee = stage.ask(f"/machines/press-1/losses?window={window}")["kpi"]["oee"]
    assert oee is not None
    page = stage.open(f"/machine/press-1?window={window}")
    drawn = page.locator(".summary .ring .figure")
    wait_for(lambda: drawn.text_content() == percentage(oee, 1), 30, "the OEE of 20 s")


def test_a_machine_that_is_not_there_is_said_not_to_be(stage: Stage) -> None:
    page = stage.open("/machine/press-9")
    page.get_by_text("there is no machine press-9").wait_for()


@pytest.mark.parametrize(("language", "theme", "size"), LOOKS)
def test_the_page_fits_the_screen(stage: Stage, language: str, theme: str, size: tuple[int, int]) -> None:
    page = machine(stage, language=language, theme=theme, size=size, user="anna")
    page.wait_for_selector(".kpi")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    name = f"{language}-{'wall' if size == WALL else 'phone'}"
    stage.picture(page, f"machine-{name}", whole=size == WALL)
    if size == WALL:
        page.locator('.summary [data-figure="availability_classic"]').click()
        page.wait_for_selector(".explain .value")
        stage.picture(page, f"explain-{language}", whole=False)
    else:
        page.locator("button.stop").first.click()
        page.locator("#why-stop [data-reason]").first.wait_for()
        stage.picture(page, f"reason-{language}", whole=False)

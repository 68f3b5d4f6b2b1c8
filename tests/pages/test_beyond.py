"""Pages and API beyond this computer: with TLS and a login for everything; and what is seen when the power fails."""

from __future__ import annotations

import json
import signal
import urllib.error
from typing import Any

import pytest

from tests.pages.conftest import Stage, document
from tests.peers.waiting import wait_for

pytestmark = [pytest.mark.peer, pytest.mark.timeout(900)]

BEYOND = True


def stops(stage: Stage) -> list[dict[str, Any]]:
    """Of the first machine, the newest first."""
    found: list[dict[str, Any]] = stage.ask("/machines/press-1/stops?limit=200")["stops"]
    return found


def audited(stage: Stage, word: str) -> list[dict[str, Any]]:
    """The lines of the audit log with that word."""
    lines = (stage.folder / "data" / "audit.log").read_text().splitlines()
    return [json.loads(line) for line in lines if word in line]


def test_nobody_looks_without_a_login_and_the_session_is_for_tls_only(stage: Stage) -> None:
    assert stage.url.startswith("https://")
    with pytest.raises(urllib.error.HTTPError, match="401"):
        document(f"{stage.api}/api/v1/overview", token="")
    page = stage.open("/machine/press-1")
    page.wait_for_url("**/login?next=/machine/press-1")
    assert page.locator(".tile, .machine").count() == 0
    page = stage.open("/", user="anna")
    page.wait_for_selector(".tile")
    [cookie] = [one for one in page.context.cookies() if one["name"].startswith("edge_session")]
    assert cookie["secure"]
    assert cookie["httpOnly"]


def test_each_page_is_there_and_follows_the_agent(stage: Stage) -> None:
    page = stage.open("/", user="anna")
    before = page.locator('[data-machine="press-1"] .pieces b').inner_text()
    page.wait_for_function(
        """before => document.querySelector('[data-machine="press-1"] .pieces b').textContent !== before""", arg=before
    )
    for path, there in {
        "/machine/press-1": ".chart.timeline canvas", "/tags": ".tagplace", "/connections": "[data-device]",
        "/digital": ".asset", "/setup": "[data-device]", "/audit": ".audit td",
    }.items():  # fmt: skip
        page.goto(stage.url + path)
        page.locator(there).first.wait_for()
    assert page.request.get(f"{stage.url}/digital/catalogue.csv").ok


def test_a_power_cut_is_seen_on_the_page_and_what_was_said_meanwhile_arrives_once(stage: Stage) -> None:
    page = stage.open("/machine/press-1", user="anna")
    stop = wait_for(
        lambda: [one for one in stops(stage) if not one["reason"] and one["end"]], 60, "a stop without a reason"
    )[0]
    place = page.locator(f'.stop[data-stop="{stop["id"]}"]')
    place.wait_for()
    page.locator(".lost").wait_for(state="hidden")
    stage.kill()
    page.locator(".lost").wait_for()
    assert "No connection since" in page.locator(".lost").inner_text()
    assert page.locator(".machine").evaluate("one => getComputedStyle(one).filter") == "grayscale(1)"
    place.click()
    page.locator("#why-stop input").fill("tool change by hand")
    page.locator("#why-stop form button").click()
    page.locator(".queued:visible").wait_for()
    stage.start()
    # By itself: nobody reloads the page, and nobody logs in again.
    page.wait_for_selector(".chart.timeline canvas")
    page.wait_for_function("document.querySelector('.lost')?.hidden")
    page.locator("form.account >> text=anna").wait_for()
    wait_for(
        lambda: any(one["start"] == stop["start"] and one["reason"] == "tool change by hand" for one in stops(stage)),
        60,
        "the reason arrives",
    )
    page.locator(".queued").wait_for(state="hidden")
    assert page.evaluate("localStorage.getItem('edge_agent_reasons')") == "[]"
    told = [(line["who"], line["step"]) for line in audited(stage, "tool change by hand")]
    assert told == [("anna", "asked"), ("anna", "done")]


def test_an_agent_that_is_silent_is_seen_to_be_within_seconds_and_the_page_goes_on_by_itself(stage: Stage) -> None:
    page = stage.open("/", user="anna")
    page.wait_for_selector(".tile")
    stage.agent.process.send_signal(signal.SIGSTOP)
    try:
        page.locator(".wrong >> text=The agent does not answer.").wait_for()
        assert page.locator(".board").evaluate("one => getComputedStyle(one).filter") == "grayscale(1)"
    finally:
        stage.agent.process.send_signal(signal.SIGCONT)
    page.locator(".wrong").wait_for(state="hidden")
    assert page.locator(".board").evaluate("one => getComputedStyle(one).filter") == "none"

"""Who comes in and what they may: first visit, login, logout, roles; and what is shown while the agent is away."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from edge_agent_hil.part import Part, Parts
from tests.pages.conftest import PASSWORD, Stage, answers
from tests.peers.waiting import free_port, wait_for

pytestmark = pytest.mark.timeout(900)


def enter(page: Any, **fields: str) -> None:
    """Fill in the form and send it."""
    for name, value in fields.items():
        page.fill(f"input[name={name}]", value)
    page.click("button.primary")


def test_the_first_visit_makes_an_engineer_with_the_code_on_the_console(stage: Stage, lonely: Lonely) -> None:
    page = lonely.page("/login")
    stage.picture(page, "first-visit-en")
    page.locator(".links button").click()
    page.get_by_text("首次访问").wait_for()
    stage.picture(page, "first-visit-zh")
    page.locator(".links button").click()
    page.get_by_text("First visit").wait_for()
    enter(page, code="AAAA-BBBB-CCCC", user="anna", password=PASSWORD, again=PASSWORD)
    page.locator(".error").wait_for()
    enter(page, code=lonely.code, password=PASSWORD, again="another one")
    page.get_by_text("The two passwords differ.").wait_for()
    enter(page, code=lonely.code, password=PASSWORD, again=PASSWORD)
    page.locator("form.account >> text=anna").wait_for()


def test_a_wrong_password_is_refused_and_logging_out_ends_the_session(stage: Stage) -> None:
    stage.picture(stage.open("/login", "zh", "dark"), "login-zh")
    page = stage.open("/login")
    enter(page, user="anna", password="not this one")
    page.get_by_text("User or password is wrong.").wait_for()
    assert page.locator("input[name=user]").input_value() == "anna"
    assert page.locator("input[name=password]").input_value() == ""
    enter(page, password=PASSWORD)
    page.wait_for_selector(".tile")
    name = f"edge_session_{urlsplit(stage.url).port}"
    [cookie] = [one for one in page.context.cookies() if one["name"] == name]
    assert cookie["httpOnly"]
    assert cookie["sameSite"] == "Strict"
    page.locator("form.account button").click()
    page.wait_for_url("**/login")
    assert not [one for one in page.context.cookies() if one["name"] == name]


def test_only_an_engineer_sees_the_audit_log_and_says_who_may_log_in(stage: Stage) -> None:
    page = stage.open("/account", user="anna")
    page.get_by_label("User").fill("bert")
    page.get_by_label("Password", exact=True).last.fill(PASSWORD)
    page.get_by_role("button", name="Add somebody").click()
    page.locator(".person >> text=bert").wait_for()
    page.goto(f"{stage.url}/audit")
    page.locator(".audit td >> text=bert").first.wait_for()
    for language, theme in (("en", "light"), ("zh", "dark")):
        for path, there in (("/audit", ".audit td"), ("/account", ".person")):
            page = stage.open(path, language, theme, user="anna")
            page.locator(there).first.wait_for()
            stage.picture(page, f"{path[1:]}-{language}")

    page = stage.open("/audit", user="bert")
    page.get_by_text("This needs the role engineer.").wait_for()
    page.goto(f"{stage.url}/account")
    page.get_by_role("button", name="Change password").wait_for()
    assert page.locator(".person").count() == 0


def test_who_has_not_logged_in_is_led_to_the_login_and_back(stage: Stage) -> None:
    page = stage.open("/audit")
    page.wait_for_url("**/login?next=/audit")
    enter(page, user="anna", password=PASSWORD)
    page.wait_for_url("**/audit")


class Lonely:
    """An agent of its own without machines or users, and pages that were started by hand."""

    def __init__(self, folder: Path, parts: Parts, browser: Any) -> None:
        self.parts = parts
        self.api, self.url = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
        self._folder = folder
        self._browser = browser
        self._context: Any = None
        (folder / "site.yaml").write_text(f"agent: {{id: gw-9}}\napi: {{listen: '{self.api[7:]}'}}\npages: off\n")
        self.agent = self.start()
        parts.start("the pages", "-m", "edge_agent.pages", "--url", self.api, "--listen", self.url[7:])
        wait_for(lambda: answers(f"{self.url}/login"), 60, "the pages answer")

    def start(self) -> Part:
        """The agent."""
        agent = self.parts.start("the agent", "-m", "edge_agent.cli", "run", str(self._folder / "site.yaml"))
        wait_for(lambda: answers(f"{self.api}/api/v1/status"), 60, "the agent answers")
        return agent

    @property
    def code(self) -> str:
        """Of the first visit."""
        found: str = re.findall(r"first visit is (\S+)", self.agent.log.read_text())[-1]
        return found

    def page(self, path: str) -> Any:
        """In a browser of its own."""
        self.close()
        self._context = self._browser.new_context()
        self._context.set_default_timeout(150_000)
        page = self._context.new_page()
        page.goto(self.url + path)
        return page

    def close(self) -> None:
        """The browser's."""
        if self._context is not None:
            self._context.close()
        self._context = None


@pytest.fixture(scope="module")
def lonely(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lonely]:
    folder = tmp_path_factory.mktemp("lonely")
    with Parts(folder, threading.Event()) as parts:
        held = Lonely(folder, parts, browser)
        yield held
        held.close()


def test_while_the_agent_is_away_the_page_says_so_and_comes_back_by_itself(lonely: Lonely) -> None:
    page = lonely.page("/")
    page.get_by_text("No machine is configured yet.").wait_for()
    lonely.parts.stop(lonely.agent)
    page.locator(".wrong >> text=The agent does not answer.").wait_for()
    other = page.context.new_page()
    other.goto(lonely.url)
    other.get_by_text("The agent does not answer. This page tries again by itself.").wait_for()
    lonely.agent = lonely.start()
    other.get_by_text("No machine is configured yet.").wait_for()
    page.locator(".wrong").wait_for(state="hidden")


def test_whoever_logs_in_to_an_agent_stays_logged_in_to_another_on_the_same_computer(
    stage: Stage, lonely: Lonely
) -> None:
    page = lonely.page("/login")
    enter(page, user="anna", password=PASSWORD)
    page.locator("form.account >> text=anna").wait_for()
    page.goto(f"{stage.url}/login")
    enter(page, user="anna", password=PASSWORD)
    page.wait_for_selector(".tile")
    page.goto(f"{lonely.url}/account")
    page.locator("form.account >> text=anna").wait_for()


def test_whatever_is_clicked_while_the_agent_is_away_says_so_and_works_once_it_is_back(lonely: Lonely) -> None:
    """The clicks of Set-up that ask the agent for something, each in a tab of its own."""
    page = lonely.page("/login?next=/setup?part=file")
    enter(page, user="anna", password=PASSWORD)
    change(page, "# one\n")
    page.get_by_role("button", name="Apply", exact=True).click()
    page.locator(".changebar").wait_for(state="hidden")
    change(page, "# two\n")
    tabs = {"apply": page}
    for name in ("opcua", "modbus", "versions"):
        tabs[name] = page.context.new_page()
        tabs[name].goto(f"{lonely.url}/setup?part={'versions' if name == 'versions' else 'devices'}")
    tabs["opcua"].get_by_role("button", name="Add an OPC UA device").click()
    tabs["opcua"].get_by_label("Address").fill("127.0.0.1")
    tabs["modbus"].get_by_role("button", name="Add a Modbus device").click()
    tabs["modbus"].get_by_label("Address").first.fill("127.0.0.1")
    tabs["modbus"].get_by_role("button", name="Connect").click()
    tabs["versions"].get_by_role("button", name="Compare").first.click()
    clicks = {
        "apply": ("Apply",), "opcua": ("Connect",), "modbus": ("Read", "Look for 20 s"),
        "versions": ("Put this version in force",),
    }  # fmt: skip
    for name, buttons in clicks.items():
        tabs[name].get_by_role("button", name=buttons[0], exact=True).wait_for()
    lonely.parts.stop(lonely.agent)
    for name, buttons in clicks.items():
        for button in buttons:
            notice = tabs[name].locator(".q-notification >> text=The agent does not answer.")
            notice.wait_for(state="hidden")
            tabs[name].get_by_role("button", name=button, exact=True).click()
            notice.wait_for()
    lonely.agent = lonely.start()
    page.get_by_role("button", name="Apply", exact=True).click()
    page.locator(".changebar").wait_for(state="hidden")


def change(page: Any, text: str) -> None:
    """Write it at the head of the site file, and look at the change."""
    page.locator(".cm-content").click()
    page.keyboard.press("Control+Home")
    page.keyboard.type(text)
    page.locator(".changebar").get_by_role("button", name="Look and apply").click()
    page.locator(".detail:visible pre.diff").wait_for()

"""Set-up in a real browser: a device by browsing, a machine by watching its values, applied without a restart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from edge_agent.config.edit import put
from tests.pages.conftest import PHONE, Stage
from tests.peers.waiting import wait_for

pytestmark = [pytest.mark.peer, pytest.mark.timeout(1200)]

DESK = (1440, 1000)
COMMENT = "# hall 3: ask Anna before you change the press\n"


def site(stage: Stage) -> dict[str, Any]:
    """What the site file has now."""
    found: dict[str, Any] = yaml.safe_load((stage.folder / "site.yaml").read_text())
    return found


def ready(stage: Stage) -> dict[str, Any]:
    """The machines of the plant."""
    found: dict[str, Any] = json.loads((stage.folder / "ready.json").read_text())["machines"]
    return found


def choose(page: Any, label: str, text: str) -> None:
    """Of a list, found by typing."""
    field = page.get_by_label(label, exact=True).first
    field.click()
    field.fill(text)
    page.locator(".q-menu .q-item", has_text=text).first.click()
    page.locator(".q-menu").first.wait_for(state="hidden")


def apply(stage: Stage, page: Any, note: str) -> str:
    """Look at the change, put it in force; the difference that was shown."""
    page.locator(".changebar").get_by_role("button", name="Look and apply").click()
    dialog = page.locator(".detail:visible")
    shown = str(dialog.locator("pre.diff").inner_text())
    dialog.get_by_label("What it is for").fill(note)
    stage.picture(page, "setup-diff-en", whole=False)
    dialog.get_by_role("button", name="Apply").click()
    page.locator(".changebar").wait_for(state="hidden")
    return shown


def connected(stage: Stage, device: str) -> Any:
    """The device, once the agent reads all of its tags."""

    def read() -> Any:
        try:
            found = [one for one in stage.ask("/devices")["devices"] if one["id"] == device]
        except OSError:
            return None  # the API goes away with the parts, and comes back with them
        return found[0] if found and found[0]["state"] == "connected" and not found[0]["tags"]["bad"] else None

    return wait_for(read, 60, f"{device} is read")


@pytest.fixture(scope="module")
def commented(stage: Stage) -> Stage:
    """The site file as people have them: with a comment."""
    path = stage.folder / "site.yaml"
    path.write_text(COMMENT + path.read_text())
    return stage


def test_who_is_no_engineer_is_sent_to_the_login(stage: Stage) -> None:
    page = stage.open("/setup", size=DESK)
    assert "engineers" in page.locator(".content").inner_text()
    assert page.locator(".parts").count() == 0


def test_an_opcua_device_is_added_by_browsing_and_read_without_a_restart(commented: Stage) -> None:
    stage = commented
    started = stage.ask("/status")["started"]
    pid = stage.agent.process.pid
    page = stage.open("/setup", size=DESK, user="anna")
    page.get_by_role("button", name="Add an OPC UA device").click()
    page.get_by_label("Address").fill(ready(stage)["cnc-7"]["url"])
    page.get_by_role("button", name="Connect").click()
    page.locator(".tree .fold", has_text="cnc-7").first.click()
    for name in ("State", "Total", "Scrap"):
        page.locator(".tree .variable", has_text=name).first.locator(".q-checkbox").click()
    wait_for(lambda: page.locator(".chosenrow").count() == 3, 30, "three tags are chosen")
    wait_for(lambda: page.locator(".chosenrow .live").all_inner_texts().count("") == 0, 30, "live values are there")
    page.get_by_label("Name", exact=True).fill("cnc-8")
    stage.picture(page, "setup-opcua-en")
    page.get_by_role("button", name="Take over").click()
    shown = apply(stage, page, "a second cnc")
    added = [line[1:] for line in shown.splitlines() if line.startswith("+")]
    assert [line for line in shown.splitlines() if line.startswith("-")] == []
    assert added[0].strip() == "cnc-8:"
    assert connected(stage, "cnc-8")["driver"] == "opcua"
    assert (stage.folder / "site.yaml").read_text().startswith(COMMENT)
    assert list(site(stage)["devices"]["cnc-8"]["tags"]) == ["state", "total", "scrap"]
    assert stage.agent.process.pid == pid
    assert stage.agent.process.poll() is None
    assert stage.ask("/status")["started"] >= started


def test_a_machine_gets_its_states_by_watching_the_tag(commented: Stage) -> None:
    stage = commented
    connected(stage, "cnc-8")
    page = stage.open("/setup?part=machines", size=DESK, user="anna")
    page.get_by_role("button", name="Add a machine").click()
    page.get_by_label("Name", exact=True).fill("cnc-8")
    choose(page, "Tag of the state", "cnc-8.state")
    now = page.locator(".maprow.is-now")
    now.wait_for()
    states = ready(stage)["cnc-7"]["states"]
    assert now.first.get_attribute("data-value") in states
    for code in states:
        if not page.locator(f'.maprow[data-value="{code}"]').count():
            page.get_by_label("Another value").fill(code)
            page.get_by_role("button", name="Add", exact=True).first.click()
    words = {"IDLE": "Idle", "RUN": "Running", "FAULT": "Fault", "SETUP": "Setup"}
    for code, state in states.items():
        page.locator(f'.maprow[data-value="{code}"] .state').click()
        page.locator(".q-menu .q-item", has_text=words[state]).first.click()
        page.locator(".q-menu").first.wait_for(state="hidden")
    choose(page, "Total", "cnc-8.total")
    choose(page, "Scrap", "cnc-8.scrap")
    page.get_by_label("Ideal cycle", exact=True).first.fill("0.2s")
    stage.picture(page, "setup-machine-en")
    page.get_by_role("button", name="Take over").click()
    apply(stage, page, "cnc-8 gets an OEE")
    machine = site(stage)["machines"]["cnc-8"]
    assert {str(code): state for code, state in machine["state"]["map"].items()} == states
    assert machine["counts"] == {"total": "cnc-8.total", "scrap": "cnc-8.scrap"}
    assert machine["operator"] == {}    # its stops can be given reasons, unless one says otherwise

    def told() -> Any:
        try:
            rows = {row["id"]: row["state"] for row in stage.ask("/overview")["machines"]}
        except OSError:
            return None
        return rows.get("cnc-8") in set(states.values())

    wait_for(told, 60, "the new machine has a state")


def test_a_tag_is_watched_from_when_the_agent_reads_it(commented: Stage) -> None:
    stage = commented
    connected(stage, "cnc-8")
    file = stage.folder / "site.yaml"
    before = file.read_text()
    page = stage.open("/setup", size=DESK, user="anna")
    page.get_by_role("button", name="Add an OPC UA device").click()
    page.get_by_label("Address").fill(ready(stage)["cnc-7"]["url"])
    page.get_by_role("button", name="Connect").click()
    page.locator(".tree .fold", has_text="cnc-7").first.click()
    page.locator(".tree .variable", has_text="State").first.locator(".q-checkbox").click()
    page.get_by_label("Name", exact=True).fill("late")
    page.get_by_role("button", name="Take over").click()
    page.locator(".changebar", has_text="devices.late").wait_for()
    page.locator(".partlink", has_text="Machines").click()
    page.get_by_role("button", name="Add a machine").click()
    choose(page, "Tag of the state", "late.state")
    page.locator(".watching", has_text="does not read this tag yet").wait_for()
    # Somebody else, or the second after one's own click, puts the device in force.
    file.write_text(put(before, ("devices", "late"), site(stage)["devices"]["cnc-8"]))
    page.locator(".maprow.is-now").first.wait_for()
    file.write_text(before)
    page.locator(".changebar").get_by_role("button", name="Discard").click()
    page.locator(".changebar").wait_for(state="hidden")


def test_what_is_missing_in_a_form_is_named(commented: Stage) -> None:
    page = commented.open("/setup", size=DESK, user="anna")
    for add in ("Add an OPC UA device", "Add a Modbus device"):
        page.get_by_role("button", name=add).click()
        page.get_by_role("button", name="Connect").click()
        page.locator(".q-notification", has_text="Still missing: Address").last.wait_for()
        page.locator(".partlink", has_text="Devices").click()
    page.locator(".partlink", has_text="Machines").click()
    page.get_by_role("button", name="Add a machine").click()
    page.get_by_role("button", name="Take over").click()
    page.locator(".q-notification", has_text="Still missing: Name").last.wait_for()


def test_what_is_typed_is_not_lost_by_applying_something_else(commented: Stage) -> None:
    page = commented.open("/setup?part=calendars", size=DESK, user="anna")
    review = page.locator(".changebar").get_by_role("button", name="Look and apply")
    holidays = page.locator("[data-calendar]").first.get_by_label("Public holidays of")
    holidays.fill("CN")
    page.get_by_role("button", name="Take over").first.click()
    review.wait_for()
    holidays.fill("DE")
    review.click()
    page.locator(".q-notification", has_text="first Take over, or leave this part").wait_for()
    assert not page.locator(".detail:visible").count()
    page.locator(".partlink", has_text="Calendars").click()
    wait_for(lambda: holidays.input_value() == "CN", 10, "what was taken over")
    review.click()
    page.locator(".detail:visible pre.diff", has_text="+    holidays: CN").wait_for()
    page.keyboard.press("Escape")
    page.locator(".changebar").get_by_role("button", name="Discard").click()
    page.locator(".changebar").wait_for(state="hidden")


def test_the_byte_order_wizard_makes_a_tag(commented: Stage) -> None:
    stage = commented
    press = ready(stage)["press-2"]
    page = stage.open("/setup", size=DESK, user="anna")
    page.get_by_role("button", name="Add a Modbus device").click()
    page.get_by_label("Address").first.fill(press["url"].removeprefix("modbus+tcp://").partition("?")[0])
    page.get_by_label("Unit id").fill(press["url"].rpartition("unit=")[2])
    page.get_by_label("Name", exact=True).fill("press-9")
    page.get_by_role("button", name="Connect").click()
    where = press["tags"]["state"]["address"]
    page.get_by_label("Addresses, such as").fill(where)
    page.get_by_role("button", name="Read", exact=True).click()
    reading = page.locator(f'.address[data-address="{where}"] .reading', has_text="uint16").first
    reading.wait_for()
    stage.picture(page, "setup-modbus-en")
    reading.get_by_role("button", name="Use").click()
    wait_for(lambda: page.locator(".chosenrow .live").first.inner_text().isdecimal(), 30, "its live value is there")
    page.get_by_role("button", name="Take over").click()
    wait_for(lambda: "devices.press-9" in page.locator(".changebar").inner_text(), 30, "the change is judged")
    page.locator(".changebar").get_by_role("button", name="Discard").click()
    page.locator(".changebar").wait_for(state="hidden")
    assert "press-9" not in site(stage)["devices"]


def test_a_meter_is_chosen_by_its_model(commented: Stage) -> None:
    stage = commented
    page = stage.open("/setup", size=DESK, user="anna")
    page.get_by_role("button", name="Add a Modbus device").click()
    page.get_by_label("Address").first.fill("127.0.0.1:9")
    page.get_by_label("Name", exact=True).fill("meter-9")
    page.get_by_label("Model", exact=True).click()
    page.locator(".q-menu .q-item", has_text="chint-dtsu666").click()
    page.get_by_label("ct", exact=True).fill("20")
    assert "three phases" in page.locator("main").inner_text()
    page.get_by_role("button", name="Connect").click()
    page.get_by_role("button", name="Take over").click()
    wait_for(lambda: "devices.meter-9" in page.locator(".changebar").inner_text(), 30, "the change is judged")
    page.locator(".changebar").get_by_role("button", name="Look and apply").click()
    dialog = page.locator(".detail:visible")
    shown = str(dialog.locator("pre.diff").inner_text())
    assert "template: chint-dtsu666" in shown
    assert "ct: 20" in shown
    assert dialog.get_by_role("button", name="Apply").is_enabled()
    page.keyboard.press("Escape")
    page.locator(".changebar").get_by_role("button", name="Discard").click()
    page.locator(".changebar").wait_for(state="hidden")


def test_a_mistake_is_shown_with_its_line_and_cannot_be_applied(commented: Stage) -> None:
    stage = commented
    before = (stage.folder / "site.yaml").read_text()
    page = stage.open("/setup?part=file", size=DESK, user="anna")
    editor = page.locator(".cm-content")
    editor.click()
    page.keyboard.press("Control+Home")
    page.keyboard.type("devcies: {}\n")
    wrong = page.locator(".wrong-ones li").first
    wrong.wait_for()
    assert "devcies" in wrong.inner_text()
    assert "line 1" in wrong.inner_text()
    page.locator(".changebar").get_by_role("button", name="Look and apply").click()
    assert page.locator(".detail:visible").get_by_role("button", name="Apply").is_disabled()
    page.keyboard.press("Escape")
    page.locator(".changebar").get_by_role("button", name="Discard").click()
    page.locator(".changebar").wait_for(state="hidden")
    assert (stage.folder / "site.yaml").read_text() == before


def test_a_click_brings_back_what_was_before(commented: Stage) -> None:
    stage = commented
    page = stage.open("/setup?part=versions", size=DESK, user="anna")
    page.locator('[data-version="1"]').wait_for()
    before = page.locator("[data-version]").count()
    page.locator('[data-version="1"]').get_by_role("button", name="Compare").click()
    dialog = page.locator(".detail:visible")
    dialog.locator("pre.diff").wait_for()
    dialog.get_by_role("button", name="Put this version in force").click()
    wait_for(lambda: "cnc-8" not in site(stage)["devices"], 30, "the file is as it was")
    wait_for(lambda: page.locator("[data-version]").count() == before + 1, 60, "there is one more version")
    assert (stage.folder / "site.yaml").read_text().startswith(COMMENT)
    kept = Path(stage.folder / "data" / "site-versions")
    assert kept.stat().st_mode & 0o077 == 0


def test_it_is_in_chinese_and_fits_a_phone(commented: Stage) -> None:
    stage = commented
    page = stage.open("/setup?part=machines", language="zh", theme="dark", size=DESK, user="anna")
    page.locator('[data-machine="press-1"]').get_by_role("button", name="修改").click()
    page.locator(".maprow.is-now").wait_for()
    stage.picture(page, "setup-machine-zh")
    page = stage.open("/setup", language="zh", theme="dark", size=DESK, user="anna")
    page.get_by_role("button", name="添加 OPC UA 设备").click()
    page.get_by_label("地址").fill(ready(stage)["cnc-7"]["url"])
    page.get_by_role("button", name="连接").click()
    page.locator(".tree .fold", has_text="cnc-7").first.click()
    page.locator(".tree .variable", has_text="State").first.wait_for()
    stage.picture(page, "setup-opcua-zh")
    press = ready(stage)["press-2"]
    page = stage.open("/setup", language="zh", theme="dark", size=DESK, user="anna")
    page.get_by_role("button", name="添加 Modbus 设备").click()
    page.get_by_label("地址").first.fill(press["url"].removeprefix("modbus+tcp://").partition("?")[0])
    page.get_by_label("从站地址").fill(press["url"].rpartition("unit=")[2])
    page.get_by_label("名称", exact=True).fill("press-9")
    page.get_by_role("button", name="连接").click()
    page.get_by_label("地址，例如").fill(press["tags"]["state"]["address"])
    page.get_by_role("button", name="读取", exact=True).click()
    page.locator(".reading", has_text="uint16").first.get_by_role("button", name="选用").click()
    wait_for(lambda: page.locator(".chosenrow .live").first.inner_text().isdecimal(), 30, "its live value is there")
    stage.picture(page, "setup-modbus-zh")
    page.get_by_role("button", name="加入变更").click()
    wait_for(lambda: "devices.press-9" in page.locator(".changebar").inner_text(), 30, "the change is judged")
    page.get_by_role("button", name="查看并生效").click()
    page.locator(".detail:visible pre.diff").wait_for()
    stage.picture(page, "setup-diff-zh", whole=False)
    page.keyboard.press("Escape")
    page.locator(".changebar").get_by_role("button", name="放弃修改").click()
    page.locator(".changebar").wait_for(state="hidden")
    for part, there in (("devices", "[data-device]"), ("calendars", ".shiftrow"), ("file", ".cm-content"),
                        ("versions", "[data-version]")):  # fmt: skip
        for language, theme in (("zh", "dark"), ("en", "light")):
            page = stage.open(f"/setup?part={part}", language, theme, DESK, user="anna")
            page.locator(there).first.wait_for()
            stage.picture(page, f"setup-{part}-{language}")
    phone = stage.open("/setup", language="zh", size=PHONE, user="anna")
    phone.wait_for_selector("[data-device]")
    assert phone.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
    stage.picture(phone, "setup-phone", whole=False)

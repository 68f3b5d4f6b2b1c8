"""A plant, an agent and its pages, each a process of its own and one of each a file of tests; and a real browser."""

from __future__ import annotations

import json
import os
import re
import shutil
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from edge_agent import front
from edge_agent.demo import site as sites
from edge_agent_hil.part import Part, Parts
from tests.pages import judge
from tests.peers.certificates import Authority
from tests.peers.waiting import BUSY, free_port, wait_for

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
WALL, PHONE = (1920, 1080), (390, 844)
# What each page is looked at in: language, colours, screen.
LOOKS = (("en", "light", WALL), ("zh", "dark", WALL), ("en", "dark", PHONE), ("zh", "light", PHONE))
PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
# Longer than a file of tests takes, and short enough for a picture to show something of it.
PICTURED = bool(os.environ.get("EDGE_AGENT_PICTURES"))
MINUTES = 11 if PICTURED else 90
# A picture shows something of the past.
PAST_S = 120
PASSWORD = "a-password-for-tests"
TOKEN = "a-token-for-tests"
# Patience of the browser, ms: on a computer that does other things, too.
PATIENCE_MS = 30_000 * BUSY


def document(url: str, body: object = None, token: str = TOKEN) -> Any:
    """What an address answers, as JSON; `body` is posted."""
    content = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"} if content else {}
    headers |= {"Authorization": f"Bearer {token}"} if token else {}
    with urllib.request.urlopen(
        urllib.request.Request(url, content, headers), timeout=60, context=_ANY_CERTIFICATE
    ) as answer:
        return json.loads(answer.read())


def answers(url: str) -> bool:
    """Whether something answers there, whatever it is."""
    try:
        with urllib.request.urlopen(url, timeout=5, context=_ANY_CERTIFICATE):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


# The browser looks at certificates, and so do the pages; the tests' own questions need not.
_ANY_CERTIFICATE = ssl.create_default_context()
_ANY_CERTIFICATE.check_hostname = False
_ANY_CERTIFICATE.verify_mode = ssl.CERT_NONE


@dataclass
class Stage:
    """An agent on a plant of three machines, and its pages."""

    folder: Path
    parts: Parts
    api: str
    url: str
    browser: Any
    agent: Part = field(init=False)
    context: Any = None
    _sessions: dict[str, list[Any]] = field(default_factory=dict)

    def close(self) -> None:
        """Close what is open, and forget it."""
        if self.context is not None:
            self.context.close()
        self.context = None

    def ask(self, path: str) -> Any:
        """What the API says."""
        return document(f"{self.api}/api/v1{path}")

    def open(
        self, path: str, language: str = "en", theme: str = "light", size: tuple[int, int] = WALL, user: str = ""
    ) -> Any:
        """A page in a browser that remembers nothing but files, its content there; logged in as `user`, who must exist.

        The one before is closed: a page that is open asks every second.
        """
        page = self._clean()
        page.set_viewport_size({"width": size[0], "height": size[1]})
        wishes = {"edge_agent_language": language, "edge_agent_theme": theme}
        cookies = [{"name": name, "value": value, "url": self.url} for name, value in wishes.items()]
        self.context.add_cookies(cookies + self._sessions.get(user, []))
        if user and user not in self._sessions:
            page.goto(f"{self.url}/login?next={path}")
            page.fill("input[name=user]", user)
            page.fill("input[name=password]", PASSWORD)
            page.click("button.primary")
            page.locator("form.account").wait_for()
            self._sessions[user] = [one for one in self.context.cookies() if one["name"].startswith("edge_session")]
        else:
            page.goto(self.url + path)
        page.wait_for_selector("main")
        return page

    def _clean(self) -> Any:
        """A new page, all others closed; scripts and styles are still known, and nothing else."""
        if self.context is None:
            self.context = self.browser.new_context(ignore_https_errors=True)
            self.context.set_default_timeout(PATIENCE_MS)
        for page in self.context.pages:
            page.close()
        self.context.clear_cookies()
        page = self.context.new_page()
        forget = {"origin": self.url, "storageTypes": "local_storage"}
        self.context.new_cdp_session(page).send("Storage.clearDataForOrigin", forget)
        return page

    def first_user(self, name: str) -> None:
        """Make the first engineer, with the code that the agent has written into its log; once."""
        code = re.search(r"\b[A-Z2-9]{4}-[A-Z2-9]{4}-[A-Z2-9]{4}\b", self.agent.log.read_text())
        assert code, self.agent.log.read_text()
        document(f"{self.api}/api/v1/first-user", {"user": name, "password": PASSWORD, "code": code.group()})

    def start(self) -> None:
        """Have the agent run, and its pages, until they answer."""
        self.agent = self.parts.start("the agent", "-m", "edge_agent.cli", "run", str(self.folder / "site.yaml"))
        wait_for(lambda: answers(f"{self.api}/api/v1/status"), 60, "the agent answers")
        wait_for(lambda: answers(f"{self.url}/login"), 60, "the pages answer")

    def kill(self) -> None:
        """The agent ends as with the power; the pages see that and end, too."""
        self.parts.kill(self.agent)
        wait_for(lambda: not answers(f"{self.url}/login"), 30, "the pages have ended")

    def picture(self, page: Any, name: str, whole: bool = True, english: tuple[str, ...] = ()) -> None:
        """Look at what is seen: it can be read, fits, and is in one language but for what people have written.

        EDGE_AGENT_PICTURES=1 takes a picture of it into docs/pictures.
        """
        wait_for(lambda: not judge.faint(page), 3, f"{name}: {judge.faint(page)} can be read")
        assert judge.cut(page) == []
        assert not judge.too_wide(page)
        if page.evaluate("document.documentElement.lang") == "zh":
            assert [one for one in judge.english(page) if one not in english] == []
        if PICTURED:
            # Not for the pages' sake is waited: charts draw, and dialogs appear, in the next frames.
            page.wait_for_timeout(500)
            PICTURES.mkdir(exist_ok=True)
            page.screenshot(path=PICTURES / f"{name}.png", full_page=whole)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium, without a window."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright (pip install 'edge-agent[dev]')")
    if CHROMIUM is None:
        pytest.skip("needs chromium (apt-get install chromium)")
    with sync_api.sync_playwright() as playwright:
        held = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        yield held
        held.close()


@pytest.fixture(scope="module")
def stage(browser: Any, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Stage]:
    """Everything up, every machine read, every figure there; an engineer `anna`.

    A file of tests with BEYOND = True has them beyond this computer: with TLS, and nobody looks without a login.
    """
    pytest.importorskip("nicegui", reason="needs the extra ui")
    folder = tmp_path_factory.mktemp("stage")
    with pytest.MonkeyPatch.context() as patch, Parts(folder, threading.Event()) as parts:
        patch.setenv(front.ENVIRONMENT, "on")
        ready = _plant(parts)
        begin = sites.local(time.time_ns() // 10**9 * 10**9, ready["timezone"])
        api_port, pages_port = free_port(), free_port()
        beyond = getattr(request.module, "BEYOND", False)
        site = sites.site(ready, folder / "data", {"url": ""}, begin, api_port)
        del site["publish"]
        end = begin + timedelta(minutes=MINUTES)
        site["calendars"]["demo"]["shifts"] = {
            "early": {"days": "daily", "start": f"{begin:%H:%M}", "end": f"{end:%H:%M}"}
        }
        site["agent"]["place"] = {"enterprise": "acme", "site": "suzhou", "area": "machining"}
        site["pages"] = {"listen": f"127.0.0.1:{pages_port}"}
        site["api"]["tokens"] = {"test": TOKEN}
        if beyond:
            cert, key = Authority(folder).issue("gateway")
            for part, port in (("api", api_port), ("pages", pages_port)):
                site[part] |= {"listen": f"0.0.0.0:{port}", "cert": str(cert), "key": str(key)}
        # Figures stand still long enough for a page to have been drawn again, however slow the computer is.
        site["kpi"] = {"every": "10s", "windows": ["shift", "hour", "day"]}
        # No machine of the plant has a meter: let one count a watt-hour a piece.
        site["machines"]["press-1"]["energy"] = {"tag": "press-1.total", "unit": "Wh"}
        sites.write(folder / "site.yaml", site)
        api, url = (f"http{'s' if beyond else ''}://127.0.0.1:{port}" for port in (api_port, pages_port))
        held = Stage(folder, parts, api, url, browser)
        held.start()
        wait_for(lambda: _all_known(held), 120, "every machine has figures")
        if PICTURED:
            time.sleep(PAST_S)
        held.first_user("anna")
        yield held
        held.close()


def _plant(parts: Parts) -> dict[str, Any]:
    from importlib.resources import files

    file, ready = str(files("edge_agent_hil") / "plants" / "demo.yaml"), parts.folder / "ready.json"
    plant = parts.start("the plant", "-m", "edge_agent_hil.cli", "serve", file, "--ready-file", str(ready))
    parts.wait_for(plant, ready.exists)
    found: dict[str, Any] = json.loads(ready.read_text())
    return found


def _all_known(stage: Stage) -> bool:
    machines = stage.ask("/overview")["machines"]
    return bool(machines) and all(one["good"] and one["oee"] is not None for one in machines)


@pytest.fixture
def shown() -> Callable[..., Any]:
    """What the page shows once the API says the same: both change while one looks."""

    def agree(drawn: Callable[[], Any], told: Callable[[], Any], why: str) -> Any:
        def both() -> Any:
            seen = drawn()
            return (seen,) if seen == told() else None

        return wait_for(both, 30, why)[0]

    return agree

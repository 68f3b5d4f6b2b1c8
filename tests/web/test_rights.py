"""Who may do what: each route of the API, asked by everyone; a route that is not in the table has no right to be."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, cast

import orjson
import pytest
from fastapi.routing import APIRoute

from edge_agent import agent, registry
from edge_agent.checked import Checked
from edge_agent.config import load
from edge_agent.parts import Parts
from edge_agent.south.command import Outcome
from edge_agent.web.access import Access
from edge_agent.web.browse import Looker
from edge_agent.web.certificates import Approvals
from edge_agent.web.door import COOKIE, CSRF, Door, Lobby
from edge_agent.web.people import People, Person, Role
from edge_agent.web.routes import Hands, make_app
from edge_agent.web.secrets import Secrets
from edge_agent.web.sessions import Sessions
from edge_agent.web.setting_up import SettingUp
from edge_agent.web.site_file import SiteFile
from tests.web.conftest import TOKEN, view_of

# Everyone may ask these, also where reading is not open.
OPEN: Final = {
    "GET /", "GET /api/v1/health", "GET /api/v1/me", "POST /api/v1/login", "POST /api/v1/first-user",
}  # fmt: skip
READ: Final = {
    "GET /api/openapi.json", "GET /metrics", "GET /api/v1/status", "GET /api/v1/overview", "GET /api/v1/live",
    "GET /api/v1/devices", "GET /api/v1/destinations", "GET /api/v1/destinations/{id}/dead-letters",
    "GET /api/v1/journal", "GET /api/v1/alarms", "GET /api/v1/digital", "GET /api/v1/digital/tags",
    "GET /api/v1/certificates", "GET /api/v1/machines", "GET /api/v1/lines", "GET /api/v1/areas",
    "GET /api/v1/machines/{id}/kpi", "GET /api/v1/lines/{id}/kpi", "GET /api/v1/areas/{id}/kpi", "GET /api/v1/site/kpi",
    "GET /api/v1/machines/{id}/spans", "GET /api/v1/machines/{id}/cycles", "GET /api/v1/machines/{id}/losses",
    "GET /api/v1/machines/{id}/stops", "GET /api/v1/machines/{id}/production", "GET /api/v1/machines/{id}/energy",
    "GET /api/v1/machines/{id}/explain", "GET /api/v1/tags", "GET /api/v1/tags/{tag}", "GET /api/v1/tags/{tag}/history",
    "POST /api/v1/logout", "POST /api/v1/me/password",
}  # fmt: skip
SAY: Final = {"POST /api/v1/machines/{id}/states", "POST /api/v1/machines/{id}/stops/{stop}/reason"}
WRITE: Final = {"POST /api/v1/tags/{tag}"}
CONFIGURE: Final = {
    "GET /api/v1/audit", "GET /api/v1/users", "POST /api/v1/users", "DELETE /api/v1/users/{name}",
    "GET /api/v1/config", "POST /api/v1/config/check", "POST /api/v1/config/apply", "POST /api/v1/config/rollback",
    "GET /api/v1/config/versions", "GET /api/v1/config/versions/{n}", "POST /api/v1/certificates/{fingerprint}",
    "POST /api/v1/browse/children", "POST /api/v1/browse/probe", "POST /api/v1/browse/scan", "POST /api/v1/secrets",
    "GET /api/v1/templates",
}  # fmt: skip
TABLE: Final = {"read": READ, "say": SAY, "write": WRITE, "configure": CONFIGURE}
# Role → what it may; a token is for programs, and none changes the site file.
ROLES: Final = {
    "nobody": (), "viewer": ("read",), "operator": ("read", "say"), "engineer": ("read", "say", "write", "configure"),
    "token": ("read", "say", "write"),
}  # fmt: skip
# Writes and statements are written down by those who carry them out.
NOTED: Final = {
    "POST /api/v1/config/apply": ("config", {"text": "agent: {id: gw}\n", "etag": "0" * 64}),
    "POST /api/v1/config/rollback": ("config", {"n": 1, "etag": "0" * 64}),
    "POST /api/v1/certificates/{fingerprint}": ("trust", {"trust": True}),
    "POST /api/v1/secrets": ("secret", {"name": "cnc-7", "value": "hunter2"}),
    "POST /api/v1/users": ("user", {"user": "new", "role": "viewer", "password": "correct horse battery"}),
    "DELETE /api/v1/users/{name}": ("user", None),
    "POST /api/v1/me/password": ("user", {"old": "correct horse battery", "new": "another horse battery"}),
    "POST /api/v1/logout": ("logout", None),
}
# They change nothing of the agent, its site file or the equipment.
UNNOTED: Final = {
    "POST /api/v1/config/check", "POST /api/v1/browse/children", "POST /api/v1/browse/probe",
    "POST /api/v1/browse/scan",
}  # fmt: skip
PLACES: Final = {
    "{id}": "press", "{tag}": "io.state", "{stop}": "1", "{name}": "viewer", "{n}": "1", "{fingerprint}": "0" * 64,
}  # fmt: skip

SITE = f"""
agent: {{id: gw-1, data_dir: data}}
devices: {{io: {{driver: simulated, url: "simulated://", tags: {{state: {{signal: constant, value: 1}}, n: {{signal: counter}}, s: {{signal: counter}}}}}}}}
machines:
  press: {{state: {{tag: io.state, map: {{1: RUN}}}}, counts: {{total: io.n, scrap: io.s}}, ideal_cycle: 1s}}
api: {{listen: "127.0.0.1:0", tokens: {{ops: "{TOKEN}"}}}}
"""  # noqa: E501


@dataclass
class Asked:
    """The application, asked without a socket, and what was written down."""

    parts: Parts
    folder: Path
    lobby: Lobby
    noted: list[tuple[str, str, str]] = field(default_factory=list)
    trouble: str = ""

    def app(self, *, reading_is_open: bool) -> Any:
        async def note(step: str, who: str, what: str) -> str:
            self.noted.append((step, who, what))
            return self.trouble

        async def done(*_: object) -> Outcome:
            return Outcome(True, step="done")

        site_file = SiteFile(
            self.folder / "site.yaml", self.folder / "data", lambda text: Checked(text=text), lambda _: None, lambda: ""
        )
        drivers = registry.drivers()
        setting_up = SettingUp(
            Looker(drivers, self.folder), Approvals(self.folder / "data", drivers), Secrets(self.folder / "data"),
            drivers, site_file,
        )  # fmt: skip
        access = Access({"ops": TOKEN}, asyncio.get_running_loop().time)
        door = Door(access, self.lobby, reading_is_open=reading_is_open, secure=False)
        return make_app(view_of(self.parts), door, Hands(done, done, note, setting_up=setting_up))

    def headers(self, role: str, csrf: bool = True) -> dict[str, str]:
        if role == "nobody":
            return {}
        if role == "token":
            return {"authorization": f"Bearer {TOKEN}"}
        key, session = self.lobby.sessions.begin(role, self.lobby.people[role].proof)
        return {"cookie": f"{COOKIE}={key}", **({CSRF: session.csrf} if csrf else {})}


async def status(app: Any, route: str, headers: dict[str, str], body: Any = None) -> int:
    """What is answered; the body `{}` is one that no route takes, so it is judged after the right."""
    method, path = route.split(" ")
    for name, value in PLACES.items():
        path = path.replace(name, value)
    raw = orjson.dumps({} if body is None else body) if method == "POST" else b""
    told = [(name.encode(), value.encode()) for name, value in {**headers, "content-type": "application/json"}.items()]
    scope = {
        "type": "http", "method": method, "path": path, "raw_path": path.encode(), "query_string": b"", "headers": told,
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80), "scheme": "http", "http_version": "1.1",
        "root_path": "",
    }  # fmt: skip
    found = asyncio.get_running_loop().create_future()

    told_all = asyncio.Event()

    async def receive() -> dict[str, Any]:
        if told_all.is_set():
            await asyncio.Event().wait()        # the client stays until it is cut off
        told_all.set()
        return {"type": "http.request", "body": raw, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start" and not found.done():
            found.set_result(message["status"])

    task = asyncio.create_task(app(scope, receive, send))
    await asyncio.wait([task, found], return_when=asyncio.FIRST_COMPLETED)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return cast(int, await found)


@pytest.fixture
async def asked(tmp_path: Path) -> AsyncIterator[Asked]:
    path = tmp_path / "site.yaml"
    path.write_text(SITE)
    parts = await agent.build(load(path, registry.drivers(), registry.publishers()), registry.drivers(), {})
    people = People(tmp_path / "data")
    hashed = await asyncio.to_thread(_hash)
    people._people = {name: Person(name, cast(Role, name), hashed) for name in ("viewer", "operator", "engineer")}
    try:
        ticks = asyncio.get_running_loop().time
        yield Asked(parts, tmp_path, Lobby(people, Sessions(ticks), ticks))
    finally:
        await parts.journal.close()


def _hash() -> str:
    from argon2 import PasswordHasher

    return str(PasswordHasher(1, 8, parallelism=1).hash(b"correct horse battery"))


async def test_every_route_is_in_the_table_and_every_line_of_it_is_a_route(asked: Asked) -> None:
    app = asked.app(reading_is_open=True)
    found = [route for route in app.routes if isinstance(route, APIRoute)]
    routes = {f"{method} {route.path}" for route in found for method in route.methods}
    assert len(found) == len(app.routes), "there are routes that nobody has looked at"
    assert OPEN | set().union(*TABLE.values()) == routes
    changing = {route for route in routes - OPEN if not route.startswith("GET")}
    assert changing == {*NOTED, *UNNOTED, *SAY, *WRITE}


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("reading_is_open", [True, False])
async def test_everyone_may_do_what_their_role_may_and_nothing_else(
    asked: Asked, role: str, reading_is_open: bool
) -> None:
    app, wrong = asked.app(reading_is_open=reading_is_open), []
    for right, routes in TABLE.items():
        may = right in ROLES[role] or (right == "read" and reading_is_open)
        for route in sorted(routes - {"POST /api/v1/logout"}):
            found = await status(app, route, asked.headers(role))
            if (found not in (401, 403)) != may:
                wrong.append((route, found))
    for route in sorted(OPEN):
        if (found := await status(app, route, asked.headers(role))) in (401, 403):
            wrong.append((route, found))
    assert not wrong
    assert role == "engineer" or not asked.noted


@pytest.mark.parametrize("role", ["operator", "engineer"])
async def test_a_page_from_elsewhere_changes_nothing_with_the_cookie_of_somebody(asked: Asked, role: str) -> None:
    app = asked.app(reading_is_open=True)
    for route in sorted({*NOTED, *UNNOTED, *SAY, *WRITE}):
        assert await status(app, route, asked.headers(role, csrf=False)) == 403, route


async def test_what_changes_something_is_written_down_with_who_and_without_secrets(asked: Asked) -> None:
    app = asked.app(reading_is_open=True)
    for route, (step, body) in NOTED.items():
        asked.noted.clear()
        await status(app, route, asked.headers("engineer"), body)
        assert [(one[0], one[1]) for one in asked.noted][:1] == [(step, "engineer")], route
        assert not any(secret in str(asked.noted) for secret in ("hunter2", "horse"))


async def test_what_cannot_be_written_down_is_not_done(asked: Asked) -> None:
    app = asked.app(reading_is_open=True)
    asked.trouble = "the disk is full"
    text, people = (asked.folder / "site.yaml").read_text(), list(asked.lobby.people)
    for route, (_, body) in NOTED.items():
        if route != "POST /api/v1/logout":      # whoever wants to go may
            assert await status(app, route, asked.headers("engineer"), body) == 503, route
    assert (asked.folder / "site.yaml").read_text() == text
    assert list(asked.lobby.people) == people
    assert not (asked.folder / "data" / "secrets").exists()

"""Who may log in, and what they may: the first visit, roles, sessions, wrong passwords, and what is written down."""

from __future__ import annotations

import asyncio
import json
import ssl
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge_agent.journal import audit_entries, audit_faults
from edge_agent.web import sessions
from edge_agent.web.door import COOKIE, Lobby
from edge_agent.web.people import People, Unwelcome
from edge_agent.web.sessions import Sessions
from tests.peers.certificates import Authority
from tests.peers.http_client import Reply, ask
from tests.web.conftest import SITE, TOKEN, Running

EYES = "a-token-to-look-with-0123456789"
ANNA = {"user": "anna", "password": "correct horse battery"}


class Person:
    """Somebody with a browser."""

    def __init__(self, agent: Running) -> None:
        self.agent = agent
        self.cookie = self.csrf = ""

    async def enter(self, path: str, body: dict[str, str], **more: Any) -> Reply:
        reply = await self.agent.post(f"/api/v1/{path}", body, **more)
        if reply.status == 200:
            self.cookie = reply.headers["set-cookie"].partition(";")[0]
            self.csrf = reply.json()["csrf"]
        return reply

    async def get(self, path: str) -> Reply:
        return await self.agent.get(f"/api/v1/{path}", headers={"Cookie": self.cookie})

    async def send(self, path: str, body: Any, method: str = "POST", csrf: str | None = None) -> Reply:
        headers = {"Cookie": self.cookie, "X-CSRF-Token": self.csrf if csrf is None else csrf}
        return await ask(self.agent.port, method, f"/api/v1/{path}", body, headers=headers)


def lobby_of(agent: Running) -> Lobby:
    lobby = getattr(agent.parts.api, "lobby", None)
    assert isinstance(lobby, Lobby)
    return lobby


@pytest.fixture
async def anna(running: Running) -> Person:
    """The first engineer."""
    person = Person(running)
    reply = await person.enter("first-user", {**ANNA, "code": lobby_of(running).code})
    assert reply.status == 200, reply.body
    return person


async def test_the_first_visit_needs_the_code_that_the_agent_has_written_and_there_is_only_one(
    running: Running, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    code = lobby_of(running).code
    assert any(code in record.getMessage() for record in caplog.get_records("setup"))
    me = (await running.get("/api/v1/me")).json()
    assert (me["user"], me["first_visit"], me["reading_is_open"], me["may"]) == (None, True, True, ["read"])
    person = Person(running)
    for wrong in ("", "AAAA-AAAA-AAAA", code[:-1]):
        assert (await person.enter("first-user", {**ANNA, "code": wrong})).status == 401
    for wrong in ({"password": "short"}, {"password": "aaaaaaaaaaaa"}, {"user": "Anna Müller"}, {"user": "../anna"}):
        assert (await person.enter("first-user", {**ANNA, **wrong, "code": code})).status == 422
    reply = await person.enter("first-user", {**ANNA, "code": code.lower().replace("-", " ")})
    assert (reply.status, reply.json()["role"], reply.json()["first_visit"]) == (200, "engineer", False)
    assert (await person.enter("first-user", {"user": "eve", "password": ANNA["password"], "code": code})).status == 403
    file = tmp_path / "data" / "users.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert ANNA["password"] not in file.read_text()
    assert json.loads(file.read_text())["users"]["anna"]["hash"].startswith("$argon2id$")


async def test_a_session_is_a_cookie_that_no_script_and_no_other_page_can_use(anna: Person) -> None:
    reply = await anna.enter("login", ANNA)
    assert reply.headers["set-cookie"].startswith(f"{COOKIE}=")
    for word in ("HttpOnly", "SameSite=strict", "Path=/"):
        assert word in reply.headers["set-cookie"]
    me = (await anna.get("me")).json()
    assert (me["user"], me["may"]) == ("anna", ["read", "say", "write", "configure"])
    bob = {"user": "bob", "role": "viewer", "password": "twelve letters"}
    assert (await anna.send("users", bob, csrf="")).status == 403
    assert (await anna.send("users", bob)).status == 200
    assert (await anna.send("logout", None)).status == 200
    assert (await anna.get("me")).json()["user"] is None
    assert (await anna.get("users")).status == 401


async def test_each_role_may_what_it_may_and_no_more(anna: Person, running: Running) -> None:
    people = {"anna": anna}
    for role in ("viewer", "operator"):
        user = {"user": role, "password": f"a password of {role}"}
        assert (await anna.send("users", {**user, "role": role})).status == 200
        people[role] = Person(running)
        assert (await people[role].enter("login", user)).status == 200
    asked = {
        "viewer": {"users": 403, "audit": 403, "tags": 200},
        "operator": {"users": 403, "audit": 403, "tags": 200},
        "anna": {"users": 200, "audit": 200, "tags": 200},
    }
    for name, paths in asked.items():
        for path, status in paths.items():
            assert (await people[name].get(path)).status == status, (name, path)
    value = {"value": 1}
    for name, status in {"viewer": 403, "operator": 403, "anna": 409}.items():     # 409: the tag is not to be written
        assert (await people[name].send("tags/plc.state", value)).status == status, name
    token = await running.get("/api/v1/users", token=TOKEN)
    assert token.status == 403      # a program does not change people


async def test_people_come_and_go_and_the_last_engineer_stays(anna: Person, running: Running) -> None:
    bob = {"user": "bob", "password": "a password of bob"}
    assert (await anna.send("users", {"user": "bob", "role": "viewer"})).status == 422      # new, and no password
    assert (await anna.send("users", {**bob, "role": "chief"})).status == 422
    assert (await anna.send("users", {**bob, "role": "operator"})).json() == {"user": "bob", "role": "operator"}
    his = Person(running)
    await his.enter("login", bob)
    assert (await anna.send("users", {"user": "bob", "role": "viewer"})).status == 200
    assert (await his.get("me")).json()["user"] is None     # what he might before has ended
    assert [one["user"] for one in (await anna.get("users")).json()["users"]] == ["anna", "bob"]
    assert (await anna.send("users/anna", None, "DELETE")).status == 422
    assert (await anna.send("users", {"user": "anna", "role": "viewer"})).status == 422
    assert (await anna.send("users/bob", None, "DELETE")).status == 200
    assert (await anna.send("users/bob", None, "DELETE")).status == 404
    assert (await his.enter("login", bob)).status == 401


async def test_a_new_password_ends_the_other_sessions(anna: Person, running: Running) -> None:
    other = Person(running)
    await other.enter("login", ANNA)
    fresh = {"old": ANNA["password"], "new": "another horse battery"}
    assert (await anna.send("me/password", {**fresh, "old": "not the password"})).status == 401
    assert (await anna.send("me/password", fresh)).status == 200
    assert (await anna.get("me")).json()["user"] == "anna"
    assert (await other.get("me")).json()["user"] is None
    assert (await other.enter("login", ANNA)).status == 401
    assert (await other.enter("login", {"user": "anna", "password": fresh["new"]})).status == 200


async def test_a_session_of_another_password_is_none_whatever_the_disk_has(anna: Person, running: Running) -> None:
    lobby = lobby_of(running)
    key, session = lobby.sessions.begin("anna", lobby.people["anna"].proof)
    other = Person(running)
    other.cookie = f"{COOKIE}={key}"
    assert (await other.get("me")).json()["user"] == "anna"
    session.proof = "of the anna before"
    assert (await other.get("me")).json()["user"] is None


async def test_guessing_passwords_ends_after_ten_a_minute_for_the_source_and_for_the_name(
    anna: Person, running: Running, caplog: pytest.LogCaptureFixture
) -> None:
    wrong = {"user": "anna", "password": "guess guess guess"}
    near, far = Person(running), Person(running)
    sources = [{"X-Forwarded-For": f"10.0.0.{n}"} for n in range(11)]
    statuses = [(await near.enter("login", wrong, headers=source)).status for source in sources]
    assert statuses == [401] * 10 + [429]       # from everywhere, but one name
    statuses = [(await far.enter("login", {**wrong, "user": f"u{n}"})).status for n in range(11)]
    assert statuses == [401] * 10 + [429]       # many names, from one place
    assert (await anna.get("me")).json()["user"] == "anna"
    assert "guess guess" not in caplog.text


async def test_who_guesses_at_a_name_does_not_keep_out_whom_it_belongs_to(anna: Person, running: Running) -> None:
    wrong = {"user": "anna", "password": "guess guess guess"}
    for n in range(11):
        guessed = await Person(running).enter("login", wrong, headers={"X-Forwarded-For": f"10.0.0.{n}"})
    assert guessed.status == 429
    assert "for anna" in guessed.json()["error"]
    assert (await Person(running).enter("login", ANNA)).status == 200      # from where she has been before


async def test_a_login_ends_the_session_that_the_browser_had(anna: Person, running: Running) -> None:
    before = anna.cookie
    await anna.enter("login", ANNA, headers={"Cookie": before})
    assert (await anna.get("me")).json()["user"] == "anna"
    anna.cookie = before
    assert (await anna.get("me")).json()["user"] is None


async def test_every_change_of_people_and_every_login_is_in_the_audit_log(
    anna: Person, running: Running, tmp_path: Path
) -> None:
    await anna.send("users", {"user": "bob", "role": "viewer", "password": "a password of bob"})
    await anna.enter("login", ANNA)
    await anna.send("users/anna", None, "DELETE")
    said = (await anna.get("audit?limit=3")).json()
    assert said["total"] == 5
    assert [(one["step"], one["who"]) for one in said["entries"]] == [
        ("refused", "anna"), ("user", "anna"), ("login", "anna"),
    ]  # fmt: skip
    assert (await anna.get("audit?offset=4")).json()["entries"][0]["what"] == "anna is the first engineer"
    assert audit_faults(tmp_path / "data") == []
    assert "a password" not in str(list(audit_entries(tmp_path / "data")))


async def test_beyond_this_machine_nobody_looks_without_being_known(
    run_site: Callable[..., Any], tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    cert, key = authority.issue("gateway")
    text = SITE.replace("PLC", "9").replace(
        'api: {listen: "127.0.0.1:0", tokens: {ops: "TOKEN"}}',
        f'api: {{listen: "0.0.0.0:0", cert: {cert}, key: {key}, tokens: {{o: {TOKEN}}}, read_tokens: {{eye: {EYES}}}}}',
    )
    tls = ssl.create_default_context(cafile=authority.ca)
    async with run_site(text) as agent:
        paths = ("/api/v1/status", "/metrics", "/api/openapi.json", "/api/v1/live", "/api/v1/me")
        looked = {path: (await agent.get(path, tls=tls)).status for path in paths}
        assert looked == {**dict.fromkeys(paths, 401), "/api/v1/me": 200}
        health = await agent.get("/api/v1/health", tls=tls)
        assert (health.status, health.json()) == (503, {"ok": False, "problems": []})   # the PLC is not there
        assert (await agent.get("/api/v1/health", tls=tls, token=TOKEN)).json()["problems"]
        assert (await agent.get("/api/v1/status", tls=tls, token=TOKEN)).status == 200
        assert (await agent.get("/metrics", tls=tls, token=EYES)).status == 200
        refused = await agent.post("/api/v1/tags/plc.state", b'{"value": 1}', tls=tls, token=EYES)
        assert (refused.status, refused.json()["error"]) == (403, "eye is a viewer; this needs an engineer")
        long = {"text": "#" * 20_000}
        assert (await agent.post("/api/v1/config/check", long, tls=tls)).status == 413
        person = Person(agent)
        reply = await person.enter("first-user", {**ANNA, "code": lobby_of(agent).code}, tls=tls)
        assert "Secure" in reply.headers["set-cookie"]
        cookie = {"Cookie": person.cookie}
        assert (await agent.get("/api/v1/status", tls=tls, headers=cookie)).status == 200
        assert (await agent.post("/api/v1/config/check", long, tls=tls, headers=cookie)).status != 413
        reader, writer = await asyncio.open_connection("127.0.0.1", agent.port, ssl=tls)
        writer.write(f"GET /api/v1/live HTTP/1.1\r\nHost: localhost\r\nCookie: {person.cookie}\r\n\r\n".encode())
        async with asyncio.timeout(60):
            await reader.readuntil(b"event: ")
            lobby_of(agent).sessions.end_all("anna")
            await reader.readuntil(b"\r\n0\r\n\r\n")   # what somebody sees ends with their session
        writer.close()


def test_sessions_end_when_nobody_uses_them_and_fill_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(sessions, "MOST", 3)
    held = Sessions(lambda: now)
    keys = [held.begin("anna", "p")[0] for _ in range(4)]
    assert [held.find(key) is not None for key in keys] == [False, True, True, True]
    now = sessions.IDLE_S - 1
    assert held.find(keys[1])
    now += 2
    assert [held.find(key) is not None for key in keys[1:]] == [True, False, False]
    while now < sessions.LONGEST_S:
        now += sessions.IDLE_S / 2
        last = held.find(keys[1])
    assert last is None


@pytest.mark.parametrize(
    "broken",
    ["", "{", "[]", '{"v": 1}', '{"users": {"anna": {}}}', '{"users": {"anna": {"role": "chief", "hash": ""}}}'],
)
async def test_while_the_file_of_users_cannot_be_read_nobody_takes_their_place_and_the_agent_goes_on(
    broken: str, tmp_path: Path, run_site: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "data").mkdir()
    file = tmp_path / "data" / "users.json"
    file.write_text(broken)
    async with run_site(SITE.replace("PLC", "9").replace("TOKEN", TOKEN)) as agent:
        assert (await agent.get("/api/v1/status")).status == 200
        me = (await agent.get("/api/v1/me")).json()
        assert (me["user"], me["first_visit"]) == (None, False)
        first = await agent.post("/api/v1/first-user", {**ANNA, "code": lobby_of(agent).code})
        assert first.status == 403
        reply = await agent.post("/api/v1/login", ANNA)
        assert (reply.status, "users.json cannot be read" in reply.json()["error"]) == (503, True)
        with pytest.raises(Unwelcome, match="put it right"):
            await lobby_of(agent).people.put_first("eve", ANNA["password"])
    assert "nobody can log in until it is put right" in caplog.text
    assert file.read_text() == broken


async def test_sessions_outlive_a_restart_and_those_that_have_ended_do_not_come_back(tmp_path: Path) -> None:
    path, now = tmp_path / "sessions.json", 1000.0
    held = Sessions(lambda: now, path)
    keys = [held.begin(name, "p")[0] for name in ("anna", "anna", "bert")]
    await held.keep()
    assert path.stat().st_mode & 0o777 == 0o600
    assert not any(key in path.read_text() for key in keys)
    held.end(keys[0])
    held.end_all("bert")
    await held.keep()
    kept, now = held.find(keys[1]), 7.0      # another loop, another time
    again = Sessions(lambda: now, path)
    found = again.find(keys[1])
    assert kept and found and (found.user, found.csrf) == ("anna", kept.csrf)
    assert [again.find(key) for key in (keys[0], keys[2])] == [None, None]
    now += sessions.LONGEST_S + 1
    assert again.find(keys[1]) is None


async def test_that_a_session_is_used_is_written_now_and_then(tmp_path: Path) -> None:
    path, now = tmp_path / "sessions.json", 0.0
    held = Sessions(lambda: now, path)
    key, _ = held.begin("anna", "p")
    await held.keep()
    path.unlink()
    held.find(key)
    await held.keep()
    assert not path.exists()
    now += sessions.USED_EVERY_S
    await held.keep()
    assert path.exists()


@pytest.mark.parametrize("broken", ["", "{", "[]", '{"v": 1}', '{"sessions": {"a": {}}}', '{"sessions": []}'])
async def test_a_file_of_sessions_that_cannot_be_read_has_everybody_log_in_again(tmp_path: Path, broken: str) -> None:
    path = tmp_path / "sessions.json"
    path.write_text(broken)
    held = Sessions(lambda: 0.0, path)
    key, _ = held.begin("anna", "p")
    await held.keep()
    assert Sessions(lambda: 0.0, path).find(key)


async def test_two_first_visits_at_once_make_one_engineer(tmp_path: Path) -> None:
    people = People(tmp_path)
    made = await asyncio.gather(*(people.put_first(name, f"password of {name}") for name in ("anna", "eve")))
    assert sorted(made) == [False, True]
    assert len(people) == len(People(tmp_path)) == 1
    with pytest.raises(Unwelcome):
        await people.put("anna", "engineer", "anna")

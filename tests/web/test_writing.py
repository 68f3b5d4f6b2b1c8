"""Writing through the API: who may, what arrives where writes are judged, and what comes back."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from edge_agent.web import guesses
from edge_agent.web.access import Access
from edge_agent.web.guesses import Forbidden
from tests.web.conftest import TOKEN

GOOD = {"value": 3}
WRONG: list[Any] = [
    {}, {"value": None}, {"value": [1]}, {"value": {"a": 1}}, {"value": 1, "id": ""}, {"value": 1, "id": 7},
    {"value": 1, "id": "a b"}, {"value": 1, "id": "a\n"}, {"value": 1, "id": "x" * 65}, {"value": 1, "vaule": 2},
    [1], 7, "text", {"value": "x" * 5000}, b"", b"{", b'{"value": NaN}', b'{"value": 1e999}',
    b'{"value": "\\ud800"}', b"\xff\xfe",
    b'{"value": ' + b"9" * 5000 + b"}", b'{"value": ' + b"9" * 400 + b"}", b"[" * 16_000,
]  # fmt: skip


@dataclass
class Done:
    """What became of a write."""

    ok: bool = True
    error: str = ""
    read_back: Any = 3


@dataclass
class Judge:
    """Stands where writes are judged: notes what arrives, answers as told."""

    outcome: Done = field(default_factory=Done)
    asked: list[tuple[Any, ...]] = field(default_factory=list)

    async def __call__(self, *command: Any) -> Done:
        self.asked.append(command)
        return self.outcome


@pytest.fixture
def judge() -> Judge:
    return Judge()


@pytest.fixture
async def agent(run_site: Any, site_text: Any, judge: Judge) -> AsyncIterator[Any]:
    async with run_site(site_text(), write=judge) as held:
        yield held


async def test_a_write_arrives_with_its_value_and_the_name_of_the_token(agent: Any, judge: Judge) -> None:
    values: list[Any] = [3, 2**64 - 1, -(2**63), 1e300, 2.5, -0.5, True, False, "A100", ""]
    for value in values:
        reply = await agent.post("/api/v1/tags/plc.state", {"value": value, "id": "order-1"}, token=TOKEN)
        assert reply.status == 200
        assert reply.json() == {"id": "order-1", "ok": True, "error": None, "read_back": 3}
        made, device, tag, given, who = judge.asked.pop()
        assert (made, device, tag, given, who) == ("order-1", "plc", "state", value, "ops")
        assert type(given) is type(value)


async def test_a_write_without_an_id_gets_one(agent: Any, judge: Judge) -> None:
    ids = {(await agent.post("/api/v1/tags/plc.state", GOOD, token=TOKEN)).json()["id"] for _ in range(2)}
    assert len(ids) == 2
    assert {asked[0] for asked in judge.asked} == ids


async def test_a_refused_write_is_409_with_the_reason_and_what_was_read_back(agent: Any, judge: Judge) -> None:
    judge.outcome = Done(ok=False, error="9 is above max: 5", read_back=4)
    reply = await agent.post("/api/v1/tags/plc.state", {"value": 9, "id": "x"}, token=TOKEN)
    assert reply.status == 409
    assert reply.json() == {"id": "x", "ok": False, "error": "9 is above max: 5", "read_back": 4}


async def test_a_body_that_says_no_value_is_refused_and_goes_nowhere(agent: Any, judge: Judge) -> None:
    for body in WRONG:
        reply = await agent.post("/api/v1/tags/plc.state", body, token=TOKEN)
        assert reply.status in (400, 422), body
        assert reply.json()["error"]
    assert judge.asked == []


async def test_a_form_a_browser_could_send_is_no_body(agent: Any, judge: Judge) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        reply = await agent.post("/api/v1/tags/plc.state", GOOD, token=TOKEN, headers={"Content-Type": kind})
        assert reply.status == 422
    assert judge.asked == []


@pytest.mark.parametrize("size", [16_385, 1_000_000])
async def test_a_body_over_16_kb_is_413(agent: Any, judge: Judge, size: int) -> None:
    reply = await agent.post("/api/v1/tags/plc.state", b" " * size, token=TOKEN)
    assert reply.status == 413
    assert judge.asked == []


async def test_an_unknown_tag_is_404_also_for_a_write(agent: Any, judge: Judge) -> None:
    reply = await agent.post("/api/v1/tags/plc.stat", GOOD, token=TOKEN)
    assert (reply.status, reply.json()["near"]) == (404, ["plc.state"])
    assert judge.asked == []


async def test_without_a_right_token_a_write_is_401_and_goes_nowhere(agent: Any, judge: Judge) -> None:
    wrong: list[dict[str, str]] = [{}, {"Authorization": f"Basic {TOKEN}"}, {"Authorization": "Bearer"},
        {"Authorization": f"Bearer {TOKEN}x"}, {"Authorization": f"Bearer {TOKEN[:-1]}"},
        {"Authorization": TOKEN}, {"Authorization": "Bearer \xff"}]  # fmt: skip
    for headers in wrong:
        reply = await agent.post("/api/v1/tags/plc.state", GOOD, headers=headers)
        assert reply.status == 401
        assert reply.headers["www-authenticate"] == "Bearer"
        assert "token" in reply.json()["error"]
    assert judge.asked == []


async def test_where_no_token_is_configured_every_write_is_403_and_says_what_to_configure(
    run_site: Any, site_text: Any, judge: Judge
) -> None:
    text = site_text().replace(f', tokens: {{ops: "{TOKEN}"}}', "")
    async with run_site(text, write=judge) as agent:
        for token in (None, TOKEN, ""):
            reply = await agent.post("/api/v1/tags/plc.state", GOOD, token=token)
            assert reply.status == 403
            assert 'write api: {tokens: {NAME: "${SECRET}"}}' in reply.json()["error"]
    assert judge.asked == []


async def test_after_ten_wrong_tokens_a_minute_must_pass_also_for_the_right_one(
    agent: Any, judge: Judge, caplog: pytest.LogCaptureFixture
) -> None:
    statuses = [
        (await agent.post("/api/v1/tags/plc.state", GOOD, token=f"guess-{n}-0123456789")).status for n in range(12)
    ]
    assert statuses == [401] * 10 + [429] * 2
    reply = await agent.post("/api/v1/tags/plc.state", GOOD, token=TOKEN)
    assert reply.status == 429
    assert 1 <= int(reply.headers["retry-after"]) <= 60
    assert (await agent.get("/api/v1/status")).status == 200     # looking is free
    assert judge.asked == []
    assert sum("wrong token from 127.0.0.1" in record.getMessage() for record in caplog.records) == 10
    assert "guess" not in caplog.text


def test_wrong_tokens_are_forgotten_after_a_minute_and_counted_by_address() -> None:
    now = 100.0
    held = Access({"ops": TOKEN}, lambda: now)
    for _ in range(guesses.WRONG_A_MINUTE):
        with pytest.raises(Forbidden) as wrong:
            held.who("Bearer nonsense", "10.0.0.1")
        assert wrong.value.status == 401
    with pytest.raises(Forbidden) as many:
        held.who(f"Bearer {TOKEN}", "10.0.0.1")
    assert many.value.status == 429
    assert held.who(f"bearer {TOKEN}", "10.0.0.2") == "ops"
    now += many.value.retry_s
    assert held.who(f"Bearer {TOKEN}", "10.0.0.1") == "ops"


def test_the_addresses_of_wrong_tokens_fill_no_memory() -> None:
    held = Access({"ops": TOKEN}, lambda: 0.0)
    for n in range(guesses.SOURCES + 50):
        with pytest.raises(Forbidden):
            held.who("Bearer nonsense", f"address-{n}")
    assert len(held._guesses._wrong) == guesses.SOURCES


async def test_no_token_is_in_a_log_or_a_repr(agent: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    await agent.post("/api/v1/tags/plc.state", GOOD, token=TOKEN)
    await agent.post("/api/v1/tags/plc.state", b"{", token=TOKEN)
    shown = [repr(agent.parts.site.api), str(agent.parts.site), repr(Access({"ops": TOKEN}, lambda: 0.0)), caplog.text]
    assert not any(TOKEN in text for text in shown)

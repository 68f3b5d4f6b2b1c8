"""Secrets and templates through the API: kept for the site file to name, offered for a device to be made of."""

from __future__ import annotations

import stat
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from edge_agent import registry
from edge_agent.config import load
from edge_agent.web.secrets import MOST, Secrets, TooMany
from tests.web.conftest import Running
from tests.web.test_people import ANNA, Person, lobby_of


@pytest.fixture
async def anna(run_site: Callable[..., Any], site_text: Callable[..., str]) -> AsyncIterator[Person]:
    async with run_site(site_text()) as running:
        person = Person(running)
        assert (await person.enter("first-user", {**ANNA, "code": lobby_of(running).code})).status == 200
        yield person


def folder(agent: Running) -> Path:
    return Path(agent.parts.site.agent.data_dir) / "secrets"


async def test_a_secret_is_kept_in_a_file_for_the_agent_alone_and_the_site_file_names_it(
    anna: Person, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for word, name in (("hunter2 geheim 密码", "cnc-7-password"), ("another", "cnc-7-password-2")):
        reply = await anna.send("secrets", {"name": "cnc-7-password", "value": word})
        path = folder(anna.agent) / name
        assert reply.json() == {"reference": f"${{file:{path}}}"}
        assert path.read_text() == word
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder(anna.agent).stat().st_mode) == 0o700
    login = f"{{user: edge, password: '{reply.json()['reference']}'}}"
    site = tmp_path / "other.yaml"
    site.write_text(
        "agent: {id: gw}\ndevices: {cnc-7: {driver: opcua, url: 'opc.tcp://127.0.0.1:1', "
        f"login: {login}, tags: {{x: {{node: 'ns=2;s=X'}}}}}}}}\n"
    )
    made: Any = load(site, registry.drivers(), registry.publishers()).devices["cnc-7"]
    assert made.login.password == "another"
    said = (await anna.get("audit")).json()["entries"]
    assert [one["what"] for one in said if one["step"] == "secret"] == ["cnc-7-password", "cnc-7-password"]
    assert "hunter2" not in str(said) + caplog.text


@pytest.mark.parametrize(
    "body",
    [
        {"name": "../up", "value": "x"}, {"name": "a", "value": ""}, {"name": "a", "value": "x\n"},
        {"name": "a", "value": "x" * 4097}, {"name": "a", "value": "\ud800"}, {"name": "a"}, {"name": "a", "value": 5},
    ],
)  # fmt: skip
async def test_what_cannot_be_a_secret_is_refused_and_not_repeated(anna: Person, body: Any) -> None:
    reply = await anna.send("secrets", body)
    assert reply.status == 422
    assert "xxxx" not in reply.body.decode()
    assert not folder(anna.agent).exists()


async def test_a_disk_that_takes_nothing_and_a_full_folder_are_said(
    anna: Person, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder(anna.agent).write_text("a file where the folder should be")
    assert (await anna.send("secrets", {"name": "a", "value": "x"})).status == 507
    secrets = Secrets(tmp_path)
    monkeypatch.setattr("edge_agent.web.secrets.MOST", 2)
    assert [secrets.keep("a", b"x").name for _ in range(2)] == ["a", "a-2"]
    with pytest.raises(TooMany):
        secrets.keep("a", b"x")
    assert MOST > 100


async def test_the_templates_of_a_driver_are_told_with_what_each_needs(anna: Person) -> None:
    found = (await anna.get("templates?driver=modbus")).json()["templates"]
    known = registry.drivers()["modbus"].templates
    assert [one["name"] for one in found] == sorted(known)
    meter = next(one for one in found if one["name"] == "chint-dtsu666")
    assert "Chint DTSU666" in meter["about"]
    assert {"ct": 1, "poll": "5s"}.items() <= {one["name"]: one["default"] for one in meter["parameters"]}.items()
    assert "voltage_l1" in meter["tags"]
    for driver in ("simulated", "nonesuch"):
        assert (await anna.get(f"templates?driver={driver}")).json() == {"driver": driver, "templates": []}

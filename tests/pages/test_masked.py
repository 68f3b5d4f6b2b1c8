"""What stands in the site file in plain, and is shown to nobody."""

from __future__ import annotations

import difflib
from typing import Any

import pytest

from edge_agent.pages.setup.kept import without_password
from edge_agent.pages.setup.masked import DOTS, is_secret, masked
from edge_agent.pages.setup.tree import fields_of

SECRETS = ("hunter2", "s3cret in quotes", "tok-1234", "tok-5678", "in-the-url", "header-word", "4711081", "q,uoted}")
TEXT = """
devices:
  cnc-7: {driver: opcua, login: {user: edge, password: hunter2}}
  cnc-8:
    login:
      user: edge
      password: "s3cret in quotes"
  cnc-9: {login: {password: '4711081'}}
  cnc-a: {login: {password: "q,uoted}"}}
publish:
  a: {url: "mqtt://me:in-the-url@10.0.0.2", headers: {X-Key: header-word}}
  b: {token: tok-1234, password: "${MQTT_PASSWORD}", secret: "${file:/run/secrets/x}"}
api:
  tokens:
    ops: tok-5678
    other: x
"""


def diff(old: str, new: str) -> str:
    return "".join(difflib.unified_diff(old.splitlines(True), new.splitlines(True), "a", "b"))


@pytest.mark.parametrize("old", ["", TEXT])
def test_no_secret_is_in_the_difference_and_everything_else_is(old: str) -> None:
    new = TEXT if not old else ""
    shown = masked(diff(old, new), old, new)
    assert not [secret for secret in SECRETS if secret in shown]
    assert shown.count("\n") == diff(old, new).count("\n")
    for kept in ("user: edge", "${MQTT_PASSWORD}", "${file:/run/secrets/x}", "10.0.0.2", "driver: opcua", DOTS):
        assert kept in shown


def test_keys_of_secrets_are_known() -> None:
    assert is_secret("devices.cnc-7.login.password")
    assert is_secret("api.tokens.ops")
    assert not is_secret("devices.cnc-7.login.user")
    assert not is_secret("url")


def test_the_fields_of_a_structure_stand_below_it_each_with_its_tag() -> None:
    child = {"name": "Position", "node": "ns=2;s=P", "field_tags": {"X": {"node": "ns=2;s=P#X"}}}
    [field] = fields_of(child)["children"]
    assert (field["name"], field["tag"], field["node"]) == ("Position.X", {"node": "ns=2;s=P#X"}, "ns=2;s=P#X")


async def test_a_password_that_is_typed_is_kept_elsewhere_and_a_reference_stays() -> None:
    asked: list[tuple[str, object]] = []

    async def ask(path: str, body: object) -> Any:
        asked.append((path, body))
        return {"reference": "${file:/data/secrets/cnc-7-password}"}

    async def refuse(_path: str, _body: object) -> Any:
        return None

    typed = {"security": "auto", "login": {"user": "edge", "password": "hunter2"}}
    kept = await without_password(typed, "cnc-7", ask)
    assert kept == {
        "security": "auto", "login": {"user": "edge", "password": "${file:/data/secrets/cnc-7-password}"},
    }  # fmt: skip
    assert asked == [("/secrets", {"name": "cnc-7-password", "value": "hunter2"})]
    for keys in (kept, {"login": {"user": "edge", "password": "${CNC7}"}}, {"login": {"user": "edge"}}, {}):
        assert await without_password(keys, "cnc-7", ask) == keys
    assert len(asked) == 1
    assert await without_password(typed, "cnc-7", refuse) is None

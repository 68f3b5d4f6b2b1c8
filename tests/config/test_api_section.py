"""`api:` in the site file: where it listens, who may write, and every mistake in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_agent.config.http_api import Listen
from tests.config.site_files import FAKE_SITE, mistakes_of, site_of, told

TOKEN = "0123456789abcdef"


def test_without_a_section_it_listens_on_this_machine_only_and_nobody_may_write(tmp_path: Path) -> None:
    api = site_of(tmp_path, FAKE_SITE).api
    assert api.listen == Listen("127.0.0.1", 8080)
    assert api.listen.is_loopback
    assert (dict(api.tokens), api.cert, api.key) == ({}, None, None)


@pytest.mark.parametrize(
    ("written", "listen"),
    [("off", None), ("127.0.0.1:0", Listen("127.0.0.1", 0)), ('"[::1]:8080"', Listen("::1", 8080)),
     ("localhost:81", Listen("localhost", 81)), ("127.8.9.1:81", Listen("127.8.9.1", 81))],
)  # fmt: skip
def test_where_it_may_listen_without_a_certificate(tmp_path: Path, written: str, listen: Listen | None) -> None:
    assert site_of(tmp_path, FAKE_SITE + f"api: {{listen: {written}}}\n").api.listen == listen


def test_beyond_this_machine_with_a_certificate_whose_files_are_relative_to_the_site_file(tmp_path: Path) -> None:
    text = FAKE_SITE + 'api: {listen: "0.0.0.0:8443", cert: api.pem, key: api.key, tokens: {ops: "${T}"}}\n'
    api = site_of(tmp_path, text, T=TOKEN).api
    assert (api.cert, api.key) == (tmp_path / "api.pem", tmp_path / "api.key")
    assert api.tokens["ops"].get_secret_value() == TOKEN
    assert TOKEN not in repr(api)


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ('{listen: "0.0.0.0:8080"}', "api: listens at 0.0.0.0:8080, beyond this machine, unencrypted; add cert:"),
        ('{listen: "[::]:8080"}', "api: listens at [::]:8080, beyond this machine, unencrypted"),
        ("{listen: 8080}", "api.listen: '8080' is not an address; write 127.0.0.1:8080"),
        ('{listen: "127.0.0.1"}', "api.listen: '127.0.0.1' names no port; write 127.0.0.1:8080"),
        ('{listen: "127.0.0.1:99999"}', "names no port"),
        ('{listen: "gw-1.plant.example:80"}', "is not an address of this machine"),
        ("{listne: off}", "api.listne: unknown key; did you mean 'listen'?"),
        ("{cert: a.pem}", "api: needs key too"),
        ("{key: a.key}", "api: needs cert too"),
        ("{tokens: {ops: short-one}}", "api.tokens.ops: must have at least 16 characters; make one with: openssl"),
        ('{tokens: {ops: "with blanks in between"}}', "api.tokens.ops: holds what an HTTP header cannot carry"),
        (f"{{tokens: {{Ops: {TOKEN}}}}}", "api.tokens.Ops: is not an id"),
        (f"{{tokens: {{a: {TOKEN}, b: {TOKEN}}}}}", "api.tokens.b: is the token of 'a'"),
        ('{tokens: {ops: "${NOT_SET_HERE}"}}', "api.tokens.ops: '${NOT_SET_HERE}' environment variable NOT_SET_HERE"),
        ("{tokens: secret-secret-secret}", "api.tokens"),
        ("{read_tokens: {eyes: short-one}}", "api.read_tokens.eyes: must have at least 16 characters"),
        (f"{{tokens: {{a: {TOKEN}}}, read_tokens: {{b: {TOKEN}}}}}", "api: read_tokens: 'b' or its token is in tokens"),
        ("[off]", "api"),
    ],
)  # fmt: skip
def test_every_mistake_is_named(tmp_path: Path, section: str, said: str) -> None:
    lines = told(mistakes_of(tmp_path, FAKE_SITE + f"api: {section}\n"))
    assert any(said in line for line in lines), lines
    assert len(lines) == 1


@pytest.mark.parametrize("tokens", ['{ops: "${T}"}', "{ops: hush-hush}", '{ops: [hush-hush]}', '{"Ops!": "${T}"}',
                                    "{ops: {a: hush-hush}}", '"${T}"', "hush-hush", "[hush-hush]"])  # fmt: skip
def test_no_message_shows_a_token(tmp_path: Path, tokens: str) -> None:
    for key in ("tokens", "read_tokens"):
        mistakes = mistakes_of(tmp_path, FAKE_SITE + f"api: {{{key}: {tokens}}}\n", T="hush-hush")
        assert "hush" not in " ".join(told(mistakes))

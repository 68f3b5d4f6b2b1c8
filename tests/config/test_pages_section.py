"""`pages:` in the site file: where they listen, what their process is told, and every mistake in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_agent.config.http_api import Listen
from tests.config.site_files import FAKE_SITE, mistakes_of, site_of, told


def test_without_a_section_they_are_on_this_machine_only(tmp_path: Path) -> None:
    site = site_of(tmp_path, FAKE_SITE)
    assert site.pages.listen == Listen("127.0.0.1", 8081)
    assert site.pages.options(site.api) == ["--url", "http://127.0.0.1:8080", "--listen", "127.0.0.1:8081"]


@pytest.mark.parametrize("section", ["off", "{listen: off}"])
def test_they_can_be_off(tmp_path: Path, section: str) -> None:
    assert site_of(tmp_path, FAKE_SITE + f"pages: {section}\n").pages.listen is None


def test_beyond_this_machine_they_have_a_certificate_and_ask_the_api_where_it_is_near(tmp_path: Path) -> None:
    api = 'api: {listen: "0.0.0.0:8443", cert: api.pem, key: api.key}\n'
    pages = 'pages: {listen: "[::]:8444", cert: pages.pem, key: pages.key}\n'
    site = site_of(tmp_path, FAKE_SITE + api + pages)
    assert site.pages.options(site.api) == [
        *("--url", "https://127.0.0.1:8443", "--listen", "[::]:8444", "--ca", str(tmp_path / "api.pem")),
        *("--cert", str(tmp_path / "pages.pem"), "--key", str(tmp_path / "pages.key")),
    ]


def test_they_cannot_listen_where_the_api_does(tmp_path: Path) -> None:
    api = 'api: {listen: "127.0.0.1:8081"}\n'
    [line] = told(mistakes_of(tmp_path, FAKE_SITE + api + "pages: {}\n"))
    assert "pages.listen: port 8081 is taken by api; each needs a port of its own" in line
    assert site_of(tmp_path, FAKE_SITE + api + "pages: off\n").pages.listen is None


def test_they_cannot_listen_where_the_api_does_without_being_told(tmp_path: Path) -> None:
    pages = 'pages: {listen: "127.0.0.1:8080"}\n'
    [line] = told(mistakes_of(tmp_path, FAKE_SITE + pages))
    assert "pages.listen: '127.0.0.1:8080' port 8080 is taken by api; each needs a port of its own" in line
    assert site_of(tmp_path, FAKE_SITE + "api: {listen: off}\n" + pages).pages.listen is not None


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ('{listen: "0.0.0.0:8081"}', "pages: listens at 0.0.0.0:8081, beyond this machine, unencrypted; add cert:"),
        ("{listen: 8081}", "pages.listen: '8081' is not an address; write 127.0.0.1:8081"),
        ('{listen: "127.0.0.1:0"}', "pages: listens at port 0, where nobody would find them; write 127.0.0.1:8081"),
        ("{cert: a.pem}", "pages: needs key too"),
        ("{lisen: off}", "pages.lisen: unknown key; did you mean 'listen'?"),
        ("on", "pages: 'on' needs keys"),
    ],
)
def test_every_mistake_is_named(tmp_path: Path, section: str, said: str) -> None:
    [line] = told(mistakes_of(tmp_path, FAKE_SITE + f"pages: {section}\n"))
    assert said in line

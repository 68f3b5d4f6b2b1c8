"""`python -m edge_agent.pages`: what it is told, and what is wrong with it, before anything is opened."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from edge_agent import cli
from edge_agent.pages import command


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--listen", "8081"], "is no address and port of this machine; write 127.0.0.1:8081"),
        (["--listen", "gw-1:8081"], "is no address and port"),
        (["--listen", "127.0.0.1:0"], "is no address and port"),
        (["--url", "127.0.0.1:8080"], "is not the address of an agent; write http://127.0.0.1:8080"),
        (["--url", "http://127.0.0.1:8080/api"], "is not the address of an agent"),
    ],
)
def test_a_wrong_option_says_what_would_be_right(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        command.main(arguments)
    assert end.value.code == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--listen", "0.0.0.0:8081"], "is beyond this machine: add --cert and --key"),
        (["--cert", "a.pem"], "--cert and --key come together"),
    ],
)
def test_beyond_this_machine_they_want_a_certificate(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(arguments) == 2
    assert said in capsys.readouterr().err


def test_a_port_that_is_taken_is_named_before_anything_is_said_to_listen(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("nicegui", reason="needs the extra ui")
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert command.main(["--listen", f"127.0.0.1:{port}"]) == 1
    assert f"port {port} is taken by another program; pages.listen" in capsys.readouterr().err
    assert "pages: at" not in caplog.text


def test_a_certificate_that_is_none_is_a_wrong_configuration(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("nicegui", reason="needs the extra ui")
    (tmp_path / "a.pem").write_text("no certificate")
    assert command.main(["--cert", str(tmp_path / "a.pem"), "--key", str(tmp_path / "a.pem")]) == 78
    assert "pages.cert" in capsys.readouterr().err


def test_what_the_site_file_says_is_not_said_again(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["pages", "site.yaml", "--url", "http://127.0.0.1:8080", "--cert", "a.pem"]) == 2
    assert "--url, --cert: site.yaml says that; leave out one of them" in capsys.readouterr().err


def test_a_certificate_of_theirs_that_is_none_shows_before_they_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.pem").write_text("no certificate")
    site = tmp_path / "site.yaml"
    site.write_text('agent: {id: gw-1}\npages: {listen: "0.0.0.0:8444", cert: a.pem, key: a.pem}\n')
    assert cli.main(["check", str(site)]) == 78
    assert "pages.cert" in capsys.readouterr().err

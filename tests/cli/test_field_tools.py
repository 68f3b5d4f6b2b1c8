"""`edge-agent discover` and `probe` as an engineer meets them: what goes where, exit codes, Ctrl-C."""

from __future__ import annotations

import csv
import io
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from edge_agent import cli, field_tools
from tests.peers.misbehaving import Misbehaving, environment

COMMAND = [sys.executable, "-m", "edge_agent.cli"]


def edge_agent(*arguments: str) -> subprocess.CompletedProcess[str]:
    """`edge-agent …` in a process of its own."""
    return subprocess.run(
        [*COMMAND, *arguments], capture_output=True, text=True, timeout=60, check=False, env=environment()
    )


@pytest.fixture
def server() -> Iterator[Misbehaving]:
    with Misbehaving("max_registers=16", "holes=50-59", units="1,2") as running:
        yield running


@pytest.fixture
def url(server: Misbehaving) -> str:
    return f"modbus+tcp://127.0.0.1:{server.port}"


def test_discover_prints_sections_that_check_takes_and_tells_how_far_it_is_on_stderr(url: str, tmp_path: Path) -> None:
    done = edge_agent("discover", url, "--units", "1-3", "--range", "0-200", "--pause", "1ms")
    assert done.returncode == 0
    assert "unit 2 answers" in done.stderr
    assert "unit 2: holding: 191 registers can be read, in 2 blocks" in done.stderr
    assert len(yaml.safe_load(done.stdout)["devices"]) == 2
    site = tmp_path / "site.yaml"
    site.write_text(f"agent: {{id: gw-01}}\n{done.stdout}")
    checked = edge_agent("check", str(site))
    assert (checked.returncode, checked.stderr) == (0, "")


def test_discover_csv_is_a_tag_list(url: str) -> None:
    done = edge_agent("discover", url, "--csv", "--units", "1", "--range", "0-20")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert list(rows[0])[:8] == ["device", "tag", "address", "type", "order", "scale", "offset", "unit"]
    assert {"address": "holding:7", "value": "7", "raw": "0007"}.items() <= rows[6].items()


def test_probe_shows_the_best_readings_with_the_tag_to_copy(url: str) -> None:
    done = edge_agent("probe", url, "holding:7", "--reads", "2", "--every", "10ms")
    assert done.returncode == 0
    about, head, best, *others = done.stdout.splitlines()
    assert about == "holding:7 is holding 7 on the wire, Modicon 40008; registers from 5 on: 5 6 [7] 8 9 10 11"
    assert head.split() == ["score", "tag", "values", "why"]
    assert best.split()[:4] == ["50", '"holding:7', 'uint16"', "7"]
    assert len(others) == 7
    every = edge_agent("probe", url, "holding:7", "--all", "--reads", "1", "--with", "timeout=2s")
    assert len(every.stdout.splitlines()) > 40


def test_probe_json_is_one_document(url: str) -> None:
    done = edge_agent("probe", url, "holding:7", "coil:3", "--reads", "2", "--every", "10ms", "--json")
    readings = json.loads(done.stdout)["readings"]
    assert readings[0]["tag"] == "holding:7 uint16"
    assert readings[0]["values"] == [7, 7]
    assert readings[-1]["tag"] == "coil:3"
    assert set(readings[0]) == {"address", "about", "type", "order", "values", "score", "why", "tag"}


def test_limits_are_keys_of_a_device_section_with_what_was_measured(url: str) -> None:
    done = edge_agent("probe", url, "holding:0", "--limits")
    assert done.returncode == 0
    keys = yaml.safe_load(done.stdout)
    assert keys["max_registers"] == 16
    assert list(keys) == [
        "pause_between_requests", "pause_after_connect", "max_registers", "timeout", "connections", "in_flight",
    ]  # fmt: skip
    assert "# 16 registers were answered, 17 were not" in done.stdout
    document = json.loads(edge_agent("probe", url, "holding:0", "--limits", "--json").stdout)
    assert {one["key"]: one["value"] for one in document["limits"]}["max_registers"] == "16"


@pytest.mark.parametrize(
    ("arguments", "code", "what"),
    [
        (("discover", "http://10.0.0.5"), 2, "begins with no scheme that can be asked; there are modbus+tcp://, "),
        (("discover", "10.0.0.5"), 2, "begins with no scheme"),
        (("discover", "modbus+tcp://"), 2, "names no host"),
        (("discover", "modbus+tcp://h", "--units", "x"), 2, "--units x: not numbers"),
        (("discover", "modbus+tcp://h", "--with", "timeout"), 2, "write KEY=VALUE"),
        (("discover", "modbus+tcp://h", "--with", "timeout={"), 2, "cannot be read"),
        (("probe", "modbus+tcp://h", "holdin:1"), 2, "did you mean holding?"),
        (("probe", "modbus+tcp://h", "holding:1", "--with", "retries=many"), 2, "retries: "),
        (("discover", "modbus+tcp://127.0.0.1:1"), 1, "127.0.0.1:1: connection refused"),
        (("probe", "modbus+tcp://127.0.0.1:1", "holding:1"), 1, "connection refused"),
        (("probe", "modbus+rtu:///dev/not-there", "holding:1"), 1, "there is no such serial port"),
    ],
)
def test_what_is_wrong_is_one_line_and_an_exit_code(
    arguments: tuple[str, ...], code: int, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(arguments) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("edge-agent: ")
    assert err.count("\n") == 1
    assert what in err


def test_ctrl_c_ends_a_search_with_what_was_found_so_far(url: str) -> None:
    command = [*COMMAND, "discover", url, "--units", "1", "--pause", "5ms"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=environment()) as search:
        assert search.stderr is not None
        assert search.stdout is not None
        for line in search.stderr:
            if "holding:" in line:      # the first area is done
                break
        search.send_signal(signal.SIGINT)
        told = search.stderr.read()
        section = search.stdout.read()
    assert search.returncode == 0
    assert "ending with what was found so far" in told
    assert "# holding 0-49, 60-999 can be read" in section
    assert "# ended before everything was looked at" in section
    assert yaml.safe_load(section)["devices"]


def test_a_second_ctrl_c_ends_it_at_once() -> None:
    with Misbehaving("deaf") as server:
        command = [*COMMAND, "discover", f"modbus+tcp://127.0.0.1:{server.port}?timeout=30s", "--units", "1"]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=environment()) as search:
            assert search.stderr is not None
            assert "asking for unit 1\n" in search.stderr.readline()
            search.send_signal(signal.SIGINT)
            assert "once more to drop it" in search.stderr.readline()
            search.send_signal(signal.SIGINT)
            assert search.stderr.read() == "edge-agent: stopped; nothing is shown\n"
    assert search.returncode == 1


def test_the_tools_are_those_of_the_driver_whose_scheme_the_url_has() -> None:
    assert "modbus+rtu" in field_tools.tools_for("MODBUS+TCP://10.0.0.5").schemes

"""The commands as people and scripts meet them: exit codes, what goes where, every mistake at once."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from edge_agent import __version__, cli, registry
from edge_agent.config import sample, samples
from edge_agent.config.yaml_lines import parse
from edge_agent.journal import Audit
from tests.peers.no_api import without_api

PASSWORD = "Y29ycmVjdC1ob3JzZS1iYXR0ZXJ5"       # some secrets are to be base64
ENVIRONMENT = {name: PASSWORD for text in map(sample, samples()) for name in re.findall(r"\$\{(\w+)\}", text)}

SEVEN = """\
agent: {id: gw-01, timezone: UTC, data_dir: "DATA"}
devices:
  press-1:
    driver: modbus
    url: modbus+tcp://127.0.0.1:1502?unit=1
    poll: fast
    tags:
      state: {adress: "holding:0"}
      total: {address: "holding:70000", type: uint32}
      scrap: {address: "holding:3", type: uint32, order: ABBA}
machines:
  press-1:
    state: {tag: press-1.stat, map: {0: IDLE, 1: RUNNING}}
    counts: {total: press-1.total, scrap: press-1.scrap}
    ideal_cycle: 1.2s
publish:
  platform: {type: mqtt, url: "mqtt://127.0.0.1:1", user: u, password: "${EDGE_AGENT_NOT_SET}"}
"""
FOUND = [
    (6, "devices.press-1.poll", "'fast' is not a duration", "500ms"),
    (8, "devices.press-1.tags.state.adress", "unknown key", "did you mean 'address'?"),
    (9, "devices.press-1.tags.total.address", "'holding:70000' address 70000 is outside 0..65535", ""),
    (10, "devices.press-1.tags.scrap.order", "'ABBA' is not an order of bytes", "CDAB"),
    (13, "machines.press-1.state.tag", "'press-1.stat' names no tag", "did you mean 'press-1.state'?"),
    (13, "machines.press-1.state.map.1", "'RUNNING' is not a machine state", "did you mean 'RUN'?"),
    (17, "publish.platform.password", "environment variable EDGE_AGENT_NOT_SET is not set", ""),
]
GOOD = """\
agent: {id: gw-01, timezone: UTC, data_dir: "DATA"}
devices:
  press-1:
    driver: simulated
    url: "simulated://"
    tags: {state: {signal: square, low: 0, high: 1, period: 2s}, total: {signal: counter, every: 1s}}
"""


def edge_agent(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """`edge-agent …` in a process of its own."""
    command = [sys.executable, "-m", "edge_agent.cli", *map(str, arguments)]
    env = {**os.environ, **environment}
    return subprocess.run(command, capture_output=True, text=True, env=env, timeout=60, check=False)


@pytest.fixture
def seven(tmp_path: Path) -> Path:
    path = tmp_path / "site.yaml"
    path.write_text(SEVEN.replace("DATA", str(tmp_path / "data")))
    return path


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """The same inside this process: exit code, stdout, stderr."""

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        try:
            code = cli.main([str(argument) for argument in arguments])
        except SystemExit as end:
            code = int(end.code or 0)
        out, err = capsys.readouterr()
        return code, out, err

    return run


# -- what is wrong -------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["check", "run", "plan"])
def test_seven_mistakes_are_seven_messages_in_line_order_and_nothing_is_started(
    seven: Path, tmp_path: Path, command: str
) -> None:
    done = edge_agent(command, seven)
    assert done.returncode == 78
    assert done.stdout == ""
    *messages, last = done.stderr.splitlines()
    assert last == "7 mistakes; nothing was started"
    for message, (line, key, what, hint) in zip(messages, FOUND, strict=True):
        assert message.startswith(f"{seven}:{line}: {key}: ")
        assert what in message
        assert hint in message
    assert list(tmp_path.iterdir()) == [seven]


def test_json_is_one_document_with_file_line_key_value_message_and_hint(seven: Path) -> None:
    done = edge_agent("check", seven, "--json")
    assert done.returncode == 78
    assert done.stderr == ""
    document = json.loads(done.stdout)
    assert document["ok"] is False
    assert [(m["file"], m["line"], m["key"]) for m in document["mistakes"]] == [
        (str(seven), line, key) for line, key, *_ in FOUND
    ]
    for mistake, (*_, what, hint) in zip(document["mistakes"], FOUND, strict=True):
        assert mistake["message"] in what
        assert hint in mistake["hint"]
    assert document["mistakes"][0]["value"] == "fast"


def test_json_of_a_right_file_says_so(tmp_path: Path, call: Any) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(GOOD)
    code, out, err = call("check", path, "--json")
    assert (code, json.loads(out), err) == (0, {"ok": True, "mistakes": [], "warnings": []}, "")


def _loop(path: Path) -> None:
    path.symlink_to(path)


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (lambda path: None, "cannot be read (No such file or directory)"),
        (Path.mkdir, "cannot be read (Is a directory)"),
        (_loop, "cannot be read (Too many levels of symbolic links)"),
        (lambda path: path.write_text(""), "is empty; start from the output of: edge-agent sample minimal"),
        (lambda path: path.write_text("# nothing but a comment\n"), "is empty"),
        (lambda path: path.write_bytes(bytes(range(256))), "is not a text in UTF-8"),
        (lambda path: path.write_bytes(b"agent: {id: a\0b}"), "holds a control character; remove it"),
        (lambda path: path.write_text("just a text"), "is not a site file"),
    ],
    ids=["missing", "directory", "unreadable", "empty", "comment", "binary", "nul", "text"],
)
@pytest.mark.parametrize("command", ["check", "run"])
def test_what_is_no_site_file_is_told_in_one_line(
    tmp_path: Path, call: Any, make: Callable[[Path], object], what: str, command: str
) -> None:
    path = tmp_path / "site.yaml"
    make(path)
    code, out, err = call(command, path)
    assert (code, out) == (78, "")
    assert re.fullmatch(
        rf"{re.escape(str(path))}(:1)?: .*{re.escape(what)}.*\n1 mistake; nothing was started\n", err
    )


def test_a_file_without_permission_is_told_in_one_line(tmp_path: Path, call: Any) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(GOOD)
    path.chmod(0)
    who = os.geteuid()
    if who == 0:
        os.seteuid(65534)       # root may read everything
    try:
        code, _, err = call("plan", path)
    finally:
        os.seteuid(who)
    assert code == 78
    assert err == f"{path}: cannot be read (Permission denied)\n1 mistake; nothing was started\n"


@pytest.mark.parametrize(
    "change",
    [
        ("url: mqtts://broker.example:8883", "url: 'mqtts://u:${MQTT_PASSWORD}@broker.example'"),
        ("url: mqtts://broker.example:8883", "url: '${MQTT_PASSWORD}'"),
        ("url: mqtts://broker.example:8883", f"url: 'mqtts://u:{PASSWORD}@broker.example'"),
        ("url: mqtts://broker.example:8883", f"url: 'mqtts://u:{PASSWORD}/7@broker.example'"),
        ("url: mqtts://broker.example:8883", f"url: mqtts://broker.example\n    also: ['mqtt://u:{PASSWORD}@b']"),
        ("profile: json", f"headers: {{Authorization: [{PASSWORD}]}}"),
        ("profile: json", f"headers: {{'X Key': {PASSWORD}}}"),
        ("profile: json", "profile: '${MQTT_PASSWORD}'"),
        ("id: gw-01", "id: '${MQTT_PASSWORD}!'"),
        ('password: "${MQTT', 'pasword: "${MQTT'),
        ("    user: gw-01\n", ""),
        ('"${MQTT_PASSWORD}"', f"[{PASSWORD}]"),
        ('password: "${MQTT_PASSWORD}"', f"password: {PASSWORD}\n    keepalive: 1"),
        ("timezone: Asia/Shanghai", "timezone: '${MQTT_PASSWORD}'"),
        ("ideal_cycle: 1.2s\n\nlines", "ideal_cycle: '${MQTT_PASSWORD}'\n\nlines"),
    ],
)
def test_no_message_ever_shows_a_secret(
    tmp_path: Path, call: Any, monkeypatch: pytest.MonkeyPatch, change: tuple[str, str]
) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    text = call("sample", "two-shift-line")[1]
    assert change[0] in text
    path = tmp_path / "site.yaml"
    path.write_text(text.replace(*change, 1))
    for arguments in (("check", path), ("check", path, "--json"), ("plan", path), ("-v", "run", path)):
        code, out, err = call(*arguments)
        assert code == 78
        assert PASSWORD[:12] not in out + err


# -- exit codes ----------------------------------------------------------------------------------


def test_a_running_agent_ends_with_0_on_sigterm_and_sigint(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(without_api(GOOD.replace("DATA", str(tmp_path / "data"))))
    for number in (signal.SIGTERM, signal.SIGINT):
        command = [sys.executable, "-m", "edge_agent.cli", "run", str(path)]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
            assert process.stderr
            while "press-1: connected" not in (line := process.stderr.readline()):
                assert line, "it has ended"
            process.send_signal(number)
            rest = process.stderr.read()
            assert process.wait(60) == 0
        assert "Traceback" not in rest


def test_a_run_that_cannot_have_its_folder_ends_with_1_and_one_line(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(GOOD.replace("DATA", "/dev/null/data"))
    done = edge_agent("run", path)
    assert done.returncode == 1
    assert done.stdout == ""
    [line] = done.stderr.splitlines()
    assert line.startswith("edge-agent: ")
    assert "/dev/null/data" in line


@pytest.mark.parametrize(
    "arguments",
    [
        [], ["frobnicate"], ["check"], ["run"], ["check", "a.yaml", "b.yaml"], ["check", "a.yaml", "--jsn"],
        ["sample"], ["sample", "no-such-sample"], ["demo", "--seconds", "0"], ["demo", "--seconds", "nan"],
        ["demo", "--seconds", "soon"], ["demo", "--broker", "localhost"], ["demo", "--broker", "mqtt://"],
    ],
)  # fmt: skip
def test_wrong_usage_is_2_with_a_word_on_what_is_right(call: Any, arguments: list[str]) -> None:
    code, out, err = call(*arguments)
    assert (code, out) == (2, "")
    assert "edge-agent" in err
    assert "Traceback" not in err


def test_an_exit_code_reaches_the_shell(seven: Path) -> None:
    assert [edge_agent(*arguments).returncode for arguments in (["--version"], ["frobnicate"])] == [0, 2]


# -- results -------------------------------------------------------------------------------------


def test_version(call: Any) -> None:
    assert call("--version") == (0, f"edge-agent {__version__}\n", "")


def test_every_command_has_help(call: Any) -> None:
    _, told, _ = call("--help")
    for command in ("run", "check", "plan", "audit", "schema", "sample", "drivers", "demo", "status", "why"):
        assert re.search(rf"^ +{command} +\w", told, re.MULTILINE)
        assert call(command, "--help")[0] == 0


def test_drivers_lists_what_is_installed(call: Any) -> None:
    code, out, err = call("drivers")
    assert (code, err) == (0, "")
    rows = [line.split(maxsplit=2) for line in out.splitlines()]
    assert [row[:2] for row in rows] == [
        ["driver", "modbus"], ["driver", "opcua"], ["driver", "simulated"],
        *(["publisher", name] for name in registry.publishers()), *(["profile", name] for name in registry.profiles()),
        ["server", "modbus"], ["server", "opcua"], ["template", "chint-dtsu666"], ["template", "eastron-sdm630"],
        ["template", "generic-plc"], ["template", "schneider-iem3000"],
    ]  # fmt: skip
    assert all(len(row) == 3 for row in rows)
    assert all(row[2].startswith("for modbus: ") for row in rows if row[0] == "template")


def test_sample_prints_a_shipped_template_to_start_ones_own_from(tmp_path: Path, call: Any) -> None:
    code, text, err = call("sample", "generic-plc")
    assert (code, err) == (0, "")
    (tmp_path / "mine.yaml").write_text(text)
    path = tmp_path / "site.yaml"
    device = "{driver: modbus, url: 'modbus+tcp://10.0.0.5', template: ./mine.yaml}"
    path.write_text(f"agent: {{id: gw-01}}\ndevices: {{plc: {device}}}\n")
    assert "1 device, 8 tags" in call("check", path)[1]


def test_a_sample_that_does_not_exist_names_those_that_do(call: Any) -> None:
    _, _, err = call("sample", "no-such-sample")
    assert all(name in err for name in (*samples(), "eastron-sdm630"))


@pytest.mark.parametrize("name", samples())
def test_every_sample_passes_check_and_plan_and_fits_the_schema(
    tmp_path: Path, call: Any, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    for variable, value in ENVIRONMENT.items():
        monkeypatch.setenv(variable, value)
    code, text, err = call("sample", name)
    assert (code, err) == (0, "")
    assert text.startswith("#")
    path = tmp_path / f"{name}.yaml"
    path.write_text(text)
    code, out, err = call("check", path)
    # Towards the end of a year nobody may know yet how the next one is worked; one sample shows two ways to count; and
    # files with secrets are on gateways.
    expected = re.compile("no adjusted workdays of|how pieces are counted|cannot be read here")
    assert (code, [line for line in err.splitlines() if not expected.search(line)]) == (0, [])
    assert "no mistakes" in out
    code, out, err = call("plan", path)
    assert (code, err) == (0, "")
    assert out
    schema = json.loads(call("schema")[1])
    jsonschema.Draft202012Validator(schema).validate(parse(text).data)


def test_schema_is_a_valid_schema_and_refuses_what_check_refuses(call: Any) -> None:
    code, out, err = call("schema")
    assert (code, err) == (0, "")
    schema = json.loads(out)
    jsonschema.Draft202012Validator.check_schema(schema)
    errors = list(jsonschema.Draft202012Validator(schema).iter_errors(parse(SEVEN).data))
    found = {".".join(map(str, error.absolute_path)) for error in errors}
    assert "devices.press-1.tags.state" in found
    assert any(place.startswith("machines.press-1.state.map") for place in found)


def test_plan_says_what_each_device_will_be_asked(tmp_path: Path, call: Any) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(call("sample", "modbus")[1])
    code, out, _ = call("plan", path)
    assert code == 0
    assert "press-1  modbus  modbus+tcp://10.0.0.5:502?unit=1\n" in out
    assert re.search(r"^  every 1s: read holding \d+\.\.\d+ \(\d+ registers\) for \d+ tags$", out, re.MULTILINE)


def test_plan_says_what_the_site_costs_and_how_long_a_card_lasts(tmp_path: Path, call: Any) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(call("sample", "modbus")[1])
    code, out, _ = call("plan", path, "--endurance", "5TB")
    assert code == 0
    cost = out[out.index("if every tag changes each time it is read:") :]
    assert re.search(r"^  points      [\d.]+/s$", cost, re.MULTILINE)
    assert re.search(r"^  ring        6\d\.\d MB of memory$", cost, re.MULTILINE)
    assert re.search(r"^  north       \d+ B/s to \S+, before TLS and compression$", cost, re.MULTILINE)
    assert re.search(r"^  journal     [\d.]+ MB a day; max_age comes before max_size$", cost, re.MULTILINE)
    lasts = re.search(
        r"^  flash       ([\d.]+) MB a day in pages of 4 kB; a card that bears 5\.0 TB lasts ([\d.]+) years$",
        cost, re.MULTILINE,
    )  # fmt: skip
    assert lasts
    assert float(lasts[2]) == pytest.approx(5e12 / (float(lasts[1]) * 1e6) / 365.25, rel=0.01)
    path.write_text(path.read_text() + "journal: {flush: 10s, max_size: 64MB, segment: 1MB}\n")
    out = call("plan", path)[1]
    assert "lasts more than 100 years" in out
    assert re.search(r"reaches max_size after \d+ days", out)
    assert call("plan", path, "--endurance", "5 discs")[0] == 2


def test_audit_shows_what_was_written_and_verify_what_was_done_to_the_log(tmp_path: Path, call: Any) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(GOOD.replace("DATA", str(tmp_path / "data")))
    assert call("audit", path) == (0, "", "")
    assert call("audit", path, "--json") == (0, "[]\n", "")
    (tmp_path / "data").mkdir()
    audit = Audit(tmp_path / "data")
    said = {"id": "c-1", "who": "platform", "through": "mqtt", "device": "press-1", "tag": "temp", "value": 23.4}
    for entry in (
        {"time": "2026-11-25T23:00:00.000+00:00", "step": "asked", **said, "old": 21},
        {"time": "2026-11-25T23:00:01.000+00:00", "step": "failed", **said, "error": "exception 2", "old": None},
        {"time": "2026-11-25T23:00:02.000+00:00", "step": "done", **said, "read_back": 23.4},
        {"time": "2026-11-25T23:01:00.000+00:00", "step": "left_out", "times": 7},
    ):
        assert audit.note(entry, False) == ""
    audit.close()
    assert call("audit", path)[1].splitlines() == [
        "2026-11-25T23:00:00.000+00:00 asked    press-1.temp = 23.4 (was 21), by platform through mqtt, c-1",
        "2026-11-25T23:00:01.000+00:00 failed   press-1.temp = 23.4, by platform through mqtt, c-1: exception 2",
        "2026-11-25T23:00:02.000+00:00 done     press-1.temp = 23.4, by platform through mqtt, c-1: read back 23.4",
        "2026-11-25T23:01:00.000+00:00 left_out 7 more refusals have no line of their own",
    ]
    assert [entry["n"] for entry in json.loads(call("audit", path, "--json")[1])] == [1, 2, 3, 4]
    good = "no faults in lines 1 to 4: every line follows the one before it\n"
    assert call("audit", path, "--verify") == (0, good, "")
    log = tmp_path / "data" / "audit.log"
    log.write_bytes(log.read_bytes().replace(b"23.4", b"24.4", 1))
    code, out, _ = call("audit", path, "--verify")
    assert (code, out[:12]) == (1, "audit.log:2:")
    code, out, _ = call("audit", path, "--verify", "--json")
    assert (code, json.loads(out)["ok"], len(json.loads(out)["faults"])) == (1, False, 1)


# -- the output itself ---------------------------------------------------------------------------


def test_without_a_terminal_there_is_no_colour(seven: Path) -> None:
    for arguments in (["check", seven], ["--help"], ["drivers"]):
        done = edge_agent(*arguments)
        assert "\x1b" not in done.stdout + done.stderr


def test_a_terminal_that_knows_no_dashes_is_no_reason_to_fail() -> None:
    done = edge_agent("sample", "two-shift-line", PYTHONIOENCODING="ascii")
    assert done.returncode == 0
    assert done.stderr == ""


def test_a_reader_who_has_seen_enough_is_no_mistake() -> None:
    command = f"{sys.executable} -m edge_agent.cli schema | head -c 10"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False)
    assert done.stdout == '{\n  "$sche'
    assert done.stderr == ""


def test_in_a_terminal_messages_are_plain_text_too(seven: Path) -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen([sys.executable, "-m", "edge_agent.cli", "check", str(seven)], stdout=theirs, stderr=theirs):
        os.close(theirs)
        said = _all_of(ours)
    os.close(ours)
    assert "7 mistakes; nothing was started" in said


def _all_of(terminal: int) -> str:
    said = b""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                more = os.read(terminal, 4096)
            except OSError:     # the other side has hung up
                break
            if not more:
                break
            said += more
    return said.decode()


# -- what nobody wants to see --------------------------------------------------------------------


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a disk that is full")
@pytest.mark.parametrize("arguments", [["schema"], ["sample", "minimal"], ["drivers"]])
def test_results_that_cannot_be_written_are_one_line_and_1(arguments: list[str]) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run([sys.executable, "-m", "edge_agent.cli", *arguments], stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 1
    assert done.stderr.decode().splitlines() == ["edge-agent: No space left on device"]


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        (KeyboardInterrupt(), "edge-agent: stopped"),
        (OSError(5, "Input/output error", "/x"), "edge-agent: Input/output error: /x"),
        (KeyError("x"), "edge-agent: KeyError: 'x'; this is a fault of edge-agent itself; please report it, with what "
         "--verbose says"),
    ],
)  # fmt: skip
def test_no_traceback_reaches_whoever_asked(
    call: Any, monkeypatch: pytest.MonkeyPatch, trouble: BaseException, said: str
) -> None:
    def fail(*_: object) -> None:
        raise trouble

    monkeypatch.setattr(cli, "schema", fail)
    assert call("schema") == (1, "", f"{said}\n")

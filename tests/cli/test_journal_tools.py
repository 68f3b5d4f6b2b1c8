"""`edge-agent journal`: what waits, what is there, whether it is whole; also while an agent writes."""

from __future__ import annotations

import csv
import io
import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest

from edge_agent import cli
from tests.peers.waiting import wait_for

SITE = """\
agent: {id: gw-1, timezone: Asia/Shanghai, data_dir: ./data}
devices:
  toy:
    driver: simulated
    url: "simulated://"
    poll: 50ms
    tags:
      state: {signal: square, low: 0, high: 1, period: 1s}
      total: {signal: counter, every: 50ms}
      scrap: {signal: counter, every: 700ms}
      word: {signal: cycle, steps: [{value: "a, b", for: 200ms}, {value: c, for: 200ms}]}
machines:
  press:
    state: {tag: toy.state, map: {0: IDLE, 1: RUN}}
    counts: {total: toy.total, scrap: toy.scrap}
    counter: {max_rate: 100}
    ideal_cycle: 50ms
publish: {platform: {type: mqtt, url: "mqtt://127.0.0.1:1", profile: json}}
journal: {flush: 50ms, segment: 64KB}
api: {listen: off}
"""


@dataclass(frozen=True, slots=True)
class Done:
    """What a command has said."""

    returncode: int
    stdout: str
    stderr: str


def edge_agent(*words: object) -> Done:
    """`edge-agent …`, in this process: a new one takes seconds to start on a busy machine."""
    out, errors = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.StringIO()
    with redirect_stdout(out), redirect_stderr(errors):
        code = cli.main([*map(str, words)])
    out.flush()
    out.seek(0)
    return Done(code, out.read(), errors.getvalue())


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The site file of an agent that runs and reaches nobody."""
    site = tmp_path_factory.mktemp("running") / "site.yaml"
    site.write_text(SITE)
    with site.with_suffix(".log").open("wb") as log:
        agent = subprocess.Popen([sys.executable, "-m", "edge_agent.cli", "run", str(site)], stderr=log)
    segments = site.parent / "data" / "journal"
    try:
        wait_for(lambda: sum(one.stat().st_size for one in segments.rglob("*.seg")) > 8_000, 30, "something to look at")
        yield site
    finally:
        agent.send_signal(signal.SIGTERM)
        assert agent.wait(60) == 0


@pytest.fixture
def left(running: Path, tmp_path: Path) -> Path:
    """The site file beside a copy of its journal, as it is at this moment: nobody writes there."""
    shutil.copytree(running.parent, tmp_path / "left")
    return tmp_path / "left" / "site.yaml"


def test_stat_says_what_waits_for_whom_and_since_when(running: Path) -> None:
    done = edge_agent("journal", running, "stat")
    assert done.returncode == 0, done.stderr
    [head] = [line for line in done.stdout.splitlines() if line.startswith("destination")]
    [line] = [line for line in done.stdout.splitlines() if line.startswith("platform") and " samples " in line]
    said = dict(zip(head.split(), line.split(), strict=True))
    assert int(said["waiting"].replace(",", "")) > 1
    assert said["oldest"].endswith("s")
    assert (said["evicted"], said["lost"]) == ("0", "0")
    assert "written a day: not known yet" in done.stdout


def test_stat_is_one_json_document_where_that_is_asked_for_in_either_order_of_words(running: Path) -> None:
    before = time.time_ns()
    said = json.loads(edge_agent("journal", "stat", running, "--json").stdout)
    [cursor] = [one for one in said["cursors"] if one["lane"] == "samples"]
    assert (cursor["name"], cursor["released"]) == ("platform", 0)
    assert before - 60 * 10**9 < cursor["oldest_waiting"] < before
    assert said["records"] >= cursor["backlog_records"] > 10


def test_samples_come_out_as_they_went_in_while_the_agent_writes(running: Path) -> None:
    done = edge_agent("journal", running, "export", "--format", "csv")
    found = rows(done.stdout)
    totals = [int(row["value"]) for row in found if row["tag"] == "toy.total"]
    assert len(totals) > 5
    assert totals == sorted(set(totals))
    assert {row["value"] for row in found if row["tag"] == "toy.word"} == {"a, b", "c"}
    assert {row["quality"] for row in found} == {"good"}
    assert all(row["time"].endswith("+08:00") for row in found)


def test_tags_and_times_narrow_it_down(left: Path) -> None:
    every = [json.loads(line) for line in edge_agent("journal", left, "export").stdout.splitlines()]
    times = sorted({row["time"] for row in every})
    low, high = times[5], times[-5]
    done = edge_agent("journal", left, "export", "--tag", "toy.t*", "--from", low, "--to", high)
    some = [json.loads(line) for line in done.stdout.splitlines()]
    assert some == [row for row in every if row["tag"] == "toy.total" and low <= row["time"] < high]
    assert some


def test_parquet_holds_the_rows_of_csv(left: Path, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    out = tmp_path / "samples.parquet"
    done = edge_agent("journal", left, "export", "--out", out)
    assert done.returncode == 0, done.stderr
    texts = rows(edge_agent("journal", left, "export", "--format", "csv").stdout)
    found = parquet.read_table(out).to_pylist()
    assert [{name: "" if value is None else str(value) for name, value in row.items()} for row in found] == texts
    assert done.stderr == f"{len(texts):,} rows to {out}\n"


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_what_is_exported_can_be_replayed(left: Path, tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"history.{suffix}"
    assert edge_agent("journal", left, "export", "--out", out).returncode == 0
    [made, kept] = [
        json.loads(edge_agent("replay", left, history, "--window", "day", "--format", "json").stdout)
        for history in (out, left.parent / "data")
    ]
    counts = [[record["counts"][name] for name in ("pq", "gq", "sq")] for record in (made[0], kept[0])]
    assert counts[0] == counts[1]
    assert counts[0][0] > 5


def test_states_and_events_are_there_too(left: Path) -> None:
    states = rows(edge_agent("journal", left, "export", "--kind", "state", "--format", "csv").stdout)
    assert {row["state"] for row in states} >= {"IDLE", "RUN"}
    assert {row["machine"] for row in states} == {"press"}
    events = [json.loads(line) for line in edge_agent("journal", left, "export", "--kind", "event").stdout.splitlines()]
    assert all(row["event"] and row["seq"] for row in events)


def test_verify_names_what_is_damaged_and_fails(left: Path) -> None:
    done = edge_agent("journal", left, "verify")
    assert (done.returncode, "intact" in done.stdout) == (0, True), done.stdout
    path = max((left.parent / "data" / "journal").rglob("*.seg"), key=lambda one: one.stat().st_size)
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(b"\xff" * 9)
    done = edge_agent("journal", left, "verify")
    assert done.returncode == 1
    assert f"{path.name}: damaged at byte" in done.stdout
    said = json.loads(edge_agent("journal", left, "verify", "--json").stdout)
    assert said["intact"] is False
    # What is intact comes out all the same.
    assert edge_agent("journal", left, "export").returncode == 0


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("verfy",), 2, "did you mean 'verify'?"),
        (("stat", "--tag", "toy.total"), 2, "--tag belongs to export"),
        (("export", "--json"), 2, "--format jsonl"),
        (("export", "--kind", "state", "--tag", "x"), 2, "--tag belongs to samples"),
        (("export", "--from", "yesterday"), 2, "'yesterday' is no instant"),
        (("export", "--format", "parquet"), 2, "write --out FILE"),
        (("export", "--kind", "kpi", "--format", "csv"), 2, "write --format jsonl"),
    ],
    ids=lambda words: " ".join(words) if isinstance(words, tuple) else "",
)
def test_words_that_do_not_go_together_are_told(running: Path, words: tuple[str, ...], code: int, said: str) -> None:
    done = edge_agent("journal", running, *words)
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr


def test_a_site_that_has_not_run_has_no_journal(tmp_path: Path) -> None:
    site = tmp_path / "site.yaml"
    site.write_text(SITE)
    done = edge_agent("journal", site, "stat")
    assert (done.returncode, "the agent has not run yet" in done.stderr) == (1, True)

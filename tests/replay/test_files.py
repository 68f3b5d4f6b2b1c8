"""KPIs from recorded files: what is right, what is odd, what is wrong."""

from __future__ import annotations

import gzip
import random
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import orjson
import pytest

from edge_agent.replay import csv_file
from edge_agent.replay.rows import instant_of
from tests.replay.conftest import DAY, Replay, Told

WriteHistory = Callable[..., Path]
ROWS = DAY.splitlines(keepends=True)
OEE = 351 * 50 / 28800


@pytest.fixture(params=["in columns", "row by row"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """With pyarrow and without."""
    if request.param == "row by row":
        monkeypatch.setattr(csv_file, "find_spec", lambda _name: None)
    return str(request.param)


def shift(told: Told) -> dict[str, object]:
    """The record of the day shift."""
    assert told.code == 0, told.err
    found: dict[str, object] = orjson.loads(told.out)[0]
    return found


def oee(told: Told) -> object:
    kpi = shift(told)["kpi"]
    assert isinstance(kpi, dict)
    return kpi["oee"]


def test_a_shift_is_what_it_was(way: str, replay: Replay, history: WriteHistory) -> None:
    record = shift(replay(history(), "--format", "json"))
    assert record["counts"] | {"pq": 360, "gq": 351, "sq": 9, "fe": 1} == record["counts"]
    assert record["time_s"] | {"ct": 28800, "apt": 25200, "adet_fault": 3600} == record["time_s"]
    assert oee(replay(history(), "--format", "json")) == OEE
    assert record["as_of"] == "2026-11-23T14:10:00+08:00"
    assert record["final"] is True


def test_any_order_and_repetition_give_the_same(way: str, replay: Replay, history: WriteHistory) -> None:
    expected = replay(history(), "--format", "json").out
    rows = ROWS[1:] * 3
    random.Random(5).shuffle(rows)
    told = replay(history([ROWS[0], *rows], "shuffled.csv"), "--format", "json")
    assert told.out == expected
    assert "18 samples stood there more than once: counted once" in told.err


def test_files_add_up(way: str, replay: Replay, history: WriteHistory) -> None:
    one, other = history([ROWS[0], *ROWS[1:6]], "a.csv"), history([ROWS[0], *ROWS[6:]], "b.csv")
    assert replay(other, one, "--format", "json").out == replay(history(), "--format", "json").out


def test_nanoseconds_semicolons_gzip_and_other_columns_will_do(
    way: str, replay: Replay, history: WriteHistory, tmp_path: Path
) -> None:
    expected = replay(history(), "--format", "json").out
    lines = ["Quality;Tag;Time;Value;Who"]
    for row in DAY.splitlines()[1:]:
        time, tag, value, quality = row.split(",")
        lines.append(f"{quality};{tag};{instant_of(time)};{value};me")
    path = tmp_path / "day.csv.gz"
    path.write_bytes(gzip.compress("\n".join(lines).encode("utf-8-sig")))
    told = replay(path, "--format", "json")
    assert told.out == expected
    assert "not used: column Who" in told.err


def test_rows_that_cannot_be_used_are_marked_counted_and_shown(way: str, replay: Replay, history: WriteHistory) -> None:
    rows = [
        *ROWS[:4],
        "2026-11-23T08:00:00+08:00,press-1.total,many,good\n",         # line 5: a bad sample, no gap in the counter
        "2026-11-23 08:00:00,press-1.total,1100,good\n",                # line 6: when?
        "yesterday,press-1.total,1100,good\n",
        "2026-11-23T08:00:00+08:00,press-1.scrap,8,fine\n",             # line 8
        "2026-11-23T08:00:00+08:00,press-1.scrap\n",
        "2026-11-23T08:01:00+08:00,press-1.scrap,8,good\n",
        *ROWS[4:],
    ]
    told = replay(history(rows), "--format", "json")
    assert oee(told) == OEE
    assert "day.csv:5: value: 'many' is no number, and press-1.total has numbers (int)" in told.err
    assert "day.csv:6: time: '2026-11-23 08:00:00' has no offset; write 2026-11-23 08:00:00+08:00" in told.err
    assert "day.csv:7: time: 'yesterday' is no instant" in told.err
    assert "day.csv:8: quality: 'fine' is no quality; write good, uncertain or bad" in told.err
    assert "day.csv:9: has 2 values, the first line names 4 columns" in told.err
    assert "2 rows with a value or quality that cannot be used: taken as bad samples" in told.err
    assert "3 rows that cannot be placed: left out" in told.err


def test_an_unusable_state_is_unknown_time_not_the_state_before(
    way: str, replay: Replay, history: WriteHistory
) -> None:
    rows = [*ROWS[:5], "2026-11-23T09:30:00+08:00,press-1.state,RUNNING,good\n", *ROWS[5:]]
    record = shift(replay(history(rows), "--format", "json"))
    assert record["time_s"] | {"unk_raw": 1800} == record["time_s"]


def test_what_is_no_tag_or_of_no_use_is_named(way: str, replay: Replay, history: WriteHistory) -> None:
    rows = [*ROWS, "2026-11-23T08:00:00+08:00,press-1.totl,5,good\n", "2026-11-23T08:00:00+08:00,press-1.temp,5,good\n"]
    told = replay(history(rows), "--format", "json")
    assert oee(told) == OEE
    assert "'press-1.totl' is no tag of the site (1 sample passed over); did you mean 'press-1.total'?" in told.err
    assert "1 sample of tags that no machine asked for draws from: passed over" in told.err


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "day.csv:1: has no column time and no column tag and no column value; the first line is time,tag,value"),
        ("when,tag,value\n", "day.csv:1: has no column time"),
        ("time,tag,value,tag\n", "day.csv:1: has two columns tag"),
        ("time,tag,value\n1700000000,press-1.total,5\n", "too small for nanoseconds since 1970; write all 19 digits"),
        ("time,tag,value\nnow,press-1.total,5\nthen,press-1.total,6\n", "day.csv:3: time: 'then' is no instant"),
    ],
)
def test_a_file_that_is_none_is_refused(
    way: str, replay: Replay, history: WriteHistory, text: str, error: str
) -> None:
    told = replay(history(text))
    assert (told.code, told.out) == (2, "")
    assert error in told.err


def test_a_file_that_is_not_there_or_not_text_is_refused(replay: Replay, history: WriteHistory, tmp_path: Path) -> None:
    assert "none.csv: cannot be read: No such file" in replay(tmp_path / "none.csv").err
    path = history()
    path.write_bytes(DAY.replace("good", "gut ✓").encode("utf-16"))
    told = replay(path)
    assert (told.code, told.out) == (2, "")
    assert "is not UTF-8" in told.err
    assert "no journal; give the agent's data_dir, or the folder journal in it" in replay(tmp_path).err


def test_a_window_the_history_does_not_reach_to_the_end_of_is_provisional(
    replay: Replay, history: WriteHistory
) -> None:
    told = replay(history(), "--window", "shift")
    first, second = told.out.splitlines()[1:]
    assert "provisional" not in first
    assert "provisional as of 2026-11-23 14:30:00" in second


def test_as_of_leaves_out_what_came_later(replay: Replay, history: WriteHistory) -> None:
    told = replay(history(), "--as-of", "2026-11-23T11:00", "--format", "json")
    record = shift(told)
    assert record["final"] is False
    assert record["as_of"] == "2026-11-23T11:00:00+08:00"
    assert record["time_s"] | {"ct": 18000, "apt": 14400, "adet_fault": 3600} == record["time_s"]


def test_any_stretch_of_time_may_be_asked_for(replay: Replay, history: WriteHistory) -> None:
    told = replay(history(), "--window", "2026-11-23T09:30/2026-11-23T12:30+08:00", "--format", "json")
    record = shift(told)
    assert record["window"] == {
        "kind": "span", "name": "span", "start": "2026-11-23T09:30:00+08:00", "end": "2026-11-23T12:30:00+08:00",
        "production_date": "2026-11-23",
    }  # fmt: skip
    assert record["time_s"] | {"ct": 10800, "apt": 7200, "adet_fault": 3600} == record["time_s"]


@pytest.mark.parametrize(
    ("window", "error"),
    [
        ("week", "'week' is no window; write"),
        ("2026-11-23T14:00/2026-11-23T06:00", "ends before it begins"),
        ("2026-11-23T14:00/soon", "'soon' is no instant"),
    ],
)
def test_a_window_that_is_none_is_refused(replay: Replay, history: WriteHistory, window: str, error: str) -> None:
    told = replay(history(), "--window", window)
    assert (told.code, told.out) == (2, "")
    assert error in told.err


def test_a_machine_that_is_none_is_refused(replay: Replay, history: WriteHistory) -> None:
    told = replay(history(), "--machine", "press-2")
    assert told.code == 2
    assert "did you mean 'press-1'" in told.err


def test_the_table_says_it_in_a_line_a_window(replay: Replay, history: WriteHistory) -> None:
    head, row, _ = (" ".join(line.split()) for line in replay(history()).out.splitlines())
    assert head == "machine window OEE % A % P % Q % pieces scrap data % remarks"
    assert row == "press-1 2026-11-23 day 06:00-14:00 60.94 87.50 71.43 97.50 360 9 100.0"


def test_csv_has_a_column_for_each_value_of_the_record(replay: Replay, history: WriteHistory) -> None:
    head, row, _ = replay(history(), "--format", "csv").out.splitlines()
    found = dict(zip(head.split(","), row.split(","), strict=True))
    assert Fraction(found["kpi.oee"]) == Fraction(OEE)
    assert found["window.name"] == "day"
    assert found["counts.pq"] == "360"
    assert found["final"] == "true"


def test_a_mistake_in_the_site_file_is_one_of_configuration(
    replay: Replay, history: WriteHistory, site: Path
) -> None:
    site.write_text(site.read_text().replace("press-1.scrap}", "press-1.scrp}"))
    assert replay(history()).code == 78


JOBS = (
    "2026-11-23T06:00:00+08:00,press-1.program,A100,good\n"
    "2026-11-23T10:30:00+08:00,press-1.program,B200,good\n"
)


def test_jobs_are_windows_from_one_to_the_next_and_the_last_is_open(
    site: Path, replay: Replay, history: WriteHistory
) -> None:
    products = "{A100: {ideal_cycle: 50s}, B200: {ideal_cycle: 25s}}"
    job = f"job: {{tag: press-1.program, products: {products}}}"
    site.write_text(site.read_text().replace("ideal_cycle: 50s", job))
    told = replay(history(DAY + JOBS), "--window", "job")
    first, second = told.out.splitlines()[1:]
    assert first.startswith("press-1  A100 2026-11-23 06:00 - 2026-11-23 10:30")
    assert second.startswith("press-1  B200 2026-11-23 10:30 - …")
    assert "provisional" in second
    assert "provisional" not in first
    [one, two] = orjson.loads(replay(history(DAY + JOBS), "--window", "job", "--format", "json").out)
    assert (one["counts"]["pq"], two["counts"]["pq"]) == (180, 180)
    assert (one["window"]["name"], one["window"]["kind"], two["window"]["end"]) == ("A100", "job", None)
    assert one["kpi"]["throughput_rate_per_h"] == 40


def test_a_production_day_begins_with_its_first_shift(replay: Replay, history: WriteHistory) -> None:
    told = replay(history(), "--window", "production_day", "--format", "json")
    [one] = orjson.loads(told.out)
    assert one["window"]["start"] == "2026-11-23T06:00:00+08:00"
    assert one["window"]["end"] == "2026-11-24T06:00:00+08:00"

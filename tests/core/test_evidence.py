"""Live evidence for the digitalisation ladder: what is summed, what survives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
import orjson
import pytest

from edge_agent.core.batch import Batch
from edge_agent.core.evidence import Evidence
from edge_agent.core.quality import BAD, UNCERTAIN, Reason, bad
from edge_agent.core.sighting import Seen
from edge_agent.core.tags import Tag, TagTable, scan_group
from edge_agent.core.units import Unit

S = 1_000_000_000
HOUR, DAY = 3600 * S, 86_400 * S
T0 = 20_000 * DAY               # a midnight UTC
STALE = 10 * S


def evidence_of(*devices: tuple[str, int], units: Sequence[Unit] = ()) -> Evidence:
    """Devices with so many tags each; every device is a unit, and there may be others."""
    tags = [(device, f"t{number}") for device, n in devices for number in range(n)]
    table = TagTable(Tag(at, *tag, stale_ns=STALE, period_ns=S) for at, tag in enumerate(tags))
    own = [Unit(name, np.arange(len(table))[table.device_slice(name)], (name,)) for name, _ in devices]
    return Evidence(table, [name for name, _ in devices], [*own, *units])


def two() -> Evidence:
    """A press (tags 0 to 2) and a saw (tag 3)."""
    return evidence_of(("press", 3), ("saw", 1))


class Watch:
    """Ticks an evidence; the tags in `fresh` are seen at each tick, all others were never."""

    def __init__(self, evidence: Evidence, n_tags: int = 4, now: int = T0) -> None:
        self.evidence = evidence
        self.n_tags = n_tags
        self.now = now
        self.up: Mapping[str, bool] = {"press": True, "saw": True}
        self.delivering = True

    def tick(self, fresh: list[int], *, ahead: int = S) -> None:
        self.now += ahead
        seen = np.zeros(self.n_tags, np.int64)
        seen[fresh] = self.now
        quality = np.where(seen > 0, 0, BAD | Reason.STALE).astype(np.uint8)
        self.evidence.tick(self.now, seen, quality, self.up, self.delivering)

    def run(self, seconds: int, fresh: list[int]) -> None:
        for _ in range(seconds):
            self.tick(fresh)

    def scan(self, tags: list[int], quality: int = 0, *, age: int = 0, device: str = "press") -> None:
        """A polled sample of each of these tags."""
        n = len(tags)
        batch = Batch(
            np.array(tags, np.int32), np.full(n, self.now - age), np.ones(n), np.full(n, quality, np.uint8)
        )
        self.evidence.heard(device, self.now, batch)
        self.evidence.take(batch, not quality)

    def seen(self) -> dict[str, Seen]:
        return self.evidence.look(self.now)


@pytest.fixture
def watch() -> Watch:
    """Two devices, ticked once: the second tick is the first that has a length."""
    watch = Watch(two())
    watch.tick([])
    return watch


# -- sums ----------------------------------------------------------------------------------------


def test_ratios_are_exact_shares_of_the_seconds_observed(watch: Watch) -> None:
    watch.run(60, [0, 1, 2])
    watch.run(30, [0])
    watch.run(10, [])
    press, saw = watch.seen()["press"], watch.seen()["saw"]
    assert press.online == Fraction(90, 100)
    assert press.completeness == Fraction(60 * 3 + 30, 300)
    assert [saw.online, saw.completeness, saw.timeliness] == [0, 0, 0]
    assert saw.last_good is None


def test_a_tag_is_known_exactly_as_long_as_it_may_be_silent(watch: Watch) -> None:
    seen, good = np.full(4, watch.now), np.zeros(4, np.uint8)
    for second in range(1, 21):
        watch.evidence.tick(watch.now + second * S, seen, good, watch.up, True)
    assert watch.evidence.look(watch.now + 20 * S)["press"].online == Fraction(STALE, 20 * S)


def test_a_fresh_sample_that_is_not_good_does_not_make_a_device_online(watch: Watch) -> None:
    for second in range(1, 11):
        now = watch.now + second * S
        watch.evidence.tick(now, np.full(4, now), np.full(4, UNCERTAIN, np.uint8), watch.up, True)
    found = watch.evidence.look(now).values()
    assert [(one.last_good, one.online) for one in found] == [(None, 0), (None, 0)]
    assert [one.completeness for one in found] == [1, 1], "there was a sample all the time"


def test_a_device_is_connected_if_it_was_in_the_window_and_cloud_if_its_data_went_out(watch: Watch) -> None:
    watch.up, watch.delivering = {"press": True}, False
    watch.run(5, [0, 1, 2])
    assert [(one.connected, one.delivered) for one in watch.seen().values()] == [(True, False), (False, False)]
    watch.up, watch.delivering = {"press": False, "saw": True}, True
    watch.run(5, [0])
    assert [(one.connected, one.delivered) for one in watch.seen().values()] == [(True, True), (True, False)]


def test_the_last_good_sample_is_told_with_its_tag(watch: Watch) -> None:
    watch.run(3, [1])
    then = watch.now
    watch.run(20, [3])
    press, saw = watch.seen()["press"], watch.seen()["saw"]
    assert (press.last_good, press.last_tag) == (then, 1)
    assert (saw.last_good, saw.last_tag) == (watch.now, 3)


def test_a_unit_may_have_tags_of_several_devices_and_share_them() -> None:
    line = Unit("assets/line", np.array([2, 3]), ("press", "saw"))
    watch = Watch(evidence_of(("press", 3), ("saw", 1), units=[line, Unit("assets/none", np.zeros(0, np.intp), ())]))
    watch.tick([])
    watch.up = {"press": False, "saw": True}
    watch.run(6, [3])
    watch.run(4, [0])
    found = watch.seen()
    assert {name: one.online for name, one in found.items()} == {
        "press": Fraction(4, 10), "saw": Fraction(6, 10), "assets/line": Fraction(6, 10), "assets/none": 0,
    }  # fmt: skip
    assert {name for name, one in found.items() if one.connected} == {"saw", "assets/line"}
    assert found["assets/line"].completeness == Fraction(6, 20)
    assert found["assets/none"] == Seen()


# -- data quality --------------------------------------------------------------------------------


def polled() -> Watch:
    watch = Watch(two())
    for name in ("press", "saw"):
        watch.evidence.reads(name, polled=True)
    watch.tick([])
    return watch


def test_a_polled_tag_is_as_complete_as_its_scans_are() -> None:
    watch = polled()
    for second in range(10):
        watch.scan([0, 1] if second < 5 else [0])
        watch.tick([0, 1])
    assert watch.seen()["press"].completeness == Fraction(10 + 5, 30)


def test_more_scans_than_asked_for_do_not_make_up_for_another_hour() -> None:
    watch = polled()
    for _ in range(100):
        watch.scan([3], device="saw")
        watch.scan([3], device="saw")
        watch.tick([3])
    watch.now += HOUR
    watch.run(51, [])
    assert watch.seen()["saw"].completeness == Fraction(100, 152), "of the next tick two seconds count"


def test_each_indicator_falls_by_what_concerns_it() -> None:
    watch = polled()
    watch.scan([0, 1, 2])
    watch.scan([0], bad(Reason.OUT_OF_RANGE))
    watch.scan([1], bad(Reason.SPIKE))
    watch.scan([2], bad(Reason.NO_ANSWER))
    watch.scan([1], age=6 * S)
    watch.evidence.doubt(0, 1)
    watch.evidence.checked([0, 1], passed=True)
    watch.evidence.checked([0, 2], passed=False)
    watch.tick([0, 1, 2])
    found = watch.seen()["press"].quality
    assert found.conformity == Fraction(5, 6)
    assert found.accuracy == Fraction(3, 6)
    assert found.accessibility == Fraction(6, 7)
    assert found.timeliness == Fraction(5, 6)
    assert found.consistency == Fraction(1, 2)
    assert watch.seen()["saw"].quality.known() == {"completeness": 0}


def test_a_device_that_cannot_be_reached_is_not_accessible() -> None:
    watch = polled()
    watch.scan([3], device="saw")
    for _ in range(3):
        watch.evidence.failed("saw")
    watch.tick([])
    assert watch.seen()["saw"].quality.accessibility == Fraction(1, 4)


def test_95_percent_of_the_samples_were_not_older_than_what_is_told(watch: Watch) -> None:
    assert watch.evidence.age_ms("press") is None
    for age in range(100):
        watch.scan([0], age=age * S // 10)
    told = watch.evidence.age_ms("press")
    assert told is not None
    assert 9500 <= told < 9500 * 1.42


def test_a_scan_group_counts_the_same_as_its_tags_one_by_one() -> None:
    tags = [Tag(at, "press", f"t{at}", stale_ns=STALE, period_ns=S) for at in range(3)]
    by_row, one_by_one = polled(), polled()
    group = scan_group(tags)
    for second in range(20):
        quality = np.array([0, 0, bad(Reason.STUCK) if second % 5 == 0 else 0], np.uint8)
        row = Batch(group, np.full(3, by_row.now - second % 7 * S), np.ones(3), quality)
        by_row.evidence.heard("press", by_row.now, row)
        by_row.evidence.take(row, not quality.any())
        for at in (2, 0, 1):
            one_by_one.scan([at], int(quality[at]), age=second % 7 * S)
        by_row.tick([0, 1, 2])
        one_by_one.tick([0, 1, 2])
    assert by_row.evidence.tag_counts().tolist() == one_by_one.evidence.tag_counts().tolist()
    assert by_row.seen() == one_by_one.seen()
    assert by_row.evidence.age_ms("press") == one_by_one.evidence.age_ms("press")


def test_the_counts_of_tags_are_forgotten_by_halves_of_the_window() -> None:
    watch = polled()
    watch.scan([0])
    watch.tick([0])
    watch.tick([], ahead=4 * DAY)
    assert watch.evidence.tag_counts()[0, 0] == 1
    watch.tick([], ahead=4 * DAY)
    assert watch.evidence.tag_counts()[0, 0] == 0


def test_what_destinations_acknowledge_and_refuse_is_counted(watch: Watch) -> None:
    nothing, quality = np.zeros(4, np.int64), np.zeros(4, np.uint8)
    watch.evidence.tick(watch.now + S, nothing, quality, {}, False, (10, 1))
    watch.evidence.tick(watch.now + 2 * S, nothing, quality, {}, False, (15, 1))
    assert watch.evidence.published(watch.now + 2 * S) == (15, 1)
    assert watch.evidence.published(watch.now + 8 * DAY) == (0, 0)


# -- the window ----------------------------------------------------------------------------------


def test_the_window_forgets_what_is_older_than_seven_days(watch: Watch) -> None:
    watch.run(100, [0, 1, 2])
    watch.tick([], ahead=6 * DAY)
    assert watch.seen()["press"].online == Fraction(100, 102)
    watch.tick([], ahead=DAY)
    press = watch.seen()["press"]
    assert press.online == 0
    assert press.last_good is not None, "a readable interface that was evidenced once stays evidenced"


def test_a_slot_is_used_again_after_seven_days_without_what_it_held(watch: Watch) -> None:
    watch.run(100, [0, 1, 2])
    watch.tick([], ahead=7 * DAY)
    watch.run(8, [])
    assert watch.seen()["press"].online == 0
    assert watch.evidence.since(watch.now) == T0 + 101 * S + 7 * DAY


# -- the clock -----------------------------------------------------------------------------------


def test_a_gap_between_ticks_counts_two_seconds_at_most(watch: Watch) -> None:
    watch.run(8, [0, 1, 2])
    watch.tick([], ahead=600 * S)
    assert watch.seen()["press"].online == Fraction(8, 10)


@pytest.mark.parametrize("back", [5, 30], ids=["within the hour", "into the hour before"])
def test_a_clock_that_steps_back_counts_nothing_and_goes_on_from_there(watch: Watch, back: int) -> None:
    watch.run(8, [0, 1, 2])
    watch.tick([], ahead=-back * S)
    assert watch.seen()["press"].online == 1
    watch.run(2, [])
    assert watch.seen()["press"].online == Fraction(8, 10)


def test_a_clock_that_jumps_far_ahead_and_back_costs_one_hour_at_most() -> None:
    watch = Watch(two(), now=T0)
    watch.tick([])
    watch.run(10, [0, 1, 2])
    watch.tick([], ahead=2 * HOUR)
    watch.run(10, [0, 1, 2])
    watch.tick([], ahead=3650 * DAY + 5 * HOUR)
    watch.run(3, [])
    watch.tick([], ahead=-3650 * DAY - 5 * HOUR)
    watch.run(8, [0, 1, 2])
    # Each jump ahead counts two seconds where it lands; the years ahead are not in the window.
    assert watch.seen()["press"].online == Fraction(28, 30)


def test_parts_of_milliseconds_are_not_lost() -> None:
    watch = Watch(two())
    watch.tick([0])
    for _ in range(1000):
        watch.tick([0], ahead=S // 1000 + 400_000)
    assert watch.evidence.observed_ms(watch.now) == 1400


def test_the_window_begins_with_the_first_tick_that_counts(watch: Watch) -> None:
    assert watch.evidence.since(watch.now) == T0 + S
    watch.run(3, [])
    assert watch.evidence.since(watch.now) == T0 + S


# -- survival ------------------------------------------------------------------------------------


def reopened(evidence: Evidence, later: Evidence) -> Evidence:
    later.restore(orjson.loads(orjson.dumps(evidence.snapshot(exact=True))))
    return later


def test_a_restart_loses_nothing_and_observes_nothing_while_it_lasts() -> None:
    watch = polled()
    for _ in range(50):
        watch.scan([0, 1])
        watch.tick([0, 1, 2])
    watch.scan([3], bad(Reason.SPIKE), age=7 * S, device="saw")
    watch.tick([3], ahead=3 * HOUR)
    watch.run(50, [3])
    again = Watch(reopened(watch.evidence, two()), now=watch.now)
    assert again.seen() == watch.seen()
    assert again.evidence.tag_counts().tolist() == watch.evidence.tag_counts().tolist()
    assert again.evidence.age_ms("saw") == watch.evidence.age_ms("saw")
    again.tick([], ahead=2 * HOUR)
    assert again.seen() == watch.seen()
    again.run(2, [])
    assert again.seen()["press"].online == Fraction(50, 104)


def test_a_part_takes_the_place_of_its_hours_only(watch: Watch) -> None:
    watch.run(100, [0])
    whole = orjson.loads(orjson.dumps(watch.evidence.snapshot(exact=True)))
    watch.tick([], ahead=3 * HOUR)
    watch.run(100, [0, 3])
    part = orjson.loads(orjson.dumps(watch.evidence.snapshot(watch.now, exact=True)))
    assert len(part["hours"]) == 1
    again = two()
    again.restore(whole)
    again.restore(part)
    assert again.look(watch.now) == watch.seen()


def test_devices_that_came_and_went_between_two_lives_disturb_no_other(watch: Watch) -> None:
    watch.run(10, [0, 3])
    saw = watch.seen()["saw"]
    evidence = reopened(watch.evidence, evidence_of(("lathe", 2), ("saw", 1)))
    found = evidence.look(watch.now)
    assert found["saw"] == replace(saw, last_tag=2)
    assert (found["lathe"].online, found["lathe"].last_good, found["lathe"].connected) == (0, None, False)


def test_a_device_with_other_tags_keeps_its_hours_and_begins_to_count_its_tags_anew() -> None:
    watch = polled()
    watch.scan([0, 1, 2])
    watch.run(10, [0, 1, 2])
    again = reopened(watch.evidence, evidence_of(("press", 2), ("saw", 1)))
    assert again.look(watch.now)["press"].online == watch.seen()["press"].online
    assert again.tag_counts()[0, :2].tolist() == [0, 0]


def test_what_the_first_version_wrote_is_understood() -> None:
    old = {
        "begun": [T0],
        "coverage": {"m": "19/20"},
        "devices": {
            "press": {"last_good": T0 + S, "sums": [[10_000, 10_000, 5_000, 5_000, 15_000, 30_000, 1, 10]]},
            "gone": {"last_good": T0, "sums": [[1] * 8]},
        },
    }
    evidence = two()
    evidence.restore(old)
    press = evidence.look(T0 + HOUR)["press"]
    assert (press.online, press.completeness, press.timeliness) == (Fraction(1, 2), Fraction(1, 2), Fraction(9, 10))
    assert press.last_good == T0 + S


def test_an_evidence_that_has_seen_nothing_survives_too() -> None:
    evidence = reopened(two(), two())
    assert set(evidence.look(T0).values()) == {Seen()}

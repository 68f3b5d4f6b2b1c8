"""Live evidence for the digitalisation ladder: what is summed, what survives, what is still missing."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np
import orjson
import pytest

from edge_agent.core import digital
from edge_agent.core.evidence import Evidence
from edge_agent.core.ladder import ALARM, IDENTITY, REQUIRED, DeviceFacts

S = 1_000_000_000
HOUR, DAY = 3600 * S, 86_400 * S
T0 = 20_000 * DAY               # a midnight UTC
FULL = frozenset(REQUIRED)
STALE = 10 * S


def facts(name: str, first: int, n: int, *machines: str, mapped: frozenset[str] = FULL) -> DeviceFacts:
    return DeviceFacts(name, slice(first, first + n), np.full(n, STALE, np.int64), mapped, machines)


def two() -> list[DeviceFacts]:
    """A press that makes a machine's OEE (tags 0 to 2) and a saw (tag 3)."""
    return [facts("press", 0, 3, "m"), facts("saw", 3, 1)]


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
        self.evidence.tick(self.now, seen, seen > 0, self.up, self.delivering)

    def run(self, seconds: int, fresh: list[int]) -> None:
        for _ in range(seconds):
            self.tick(fresh)

    def devices(self) -> dict[str, digital.Device]:
        return {device.name: device for device in self.evidence.devices(self.now)}

    def said(self, **coverage: Fraction | None) -> dict[str, Any]:
        """The summary after a way through JSON."""
        said: dict[str, Any] = orjson.loads(orjson.dumps(self.evidence.summary(self.now, coverage)))
        return said


@pytest.fixture
def watch() -> Watch:
    """Two devices, ticked once: the second tick is the first that has a length."""
    watch = Watch(Evidence(two()))
    watch.tick([])
    return watch


# -- sums ----------------------------------------------------------------------------------------


def test_ratios_are_exact_shares_of_the_seconds_observed(watch: Watch) -> None:
    watch.run(60, [0, 1, 2])
    watch.run(30, [0])
    watch.run(10, [])
    press, saw = watch.devices()["press"], watch.devices()["saw"]
    assert press.online_ratio == Fraction(90, 100)
    assert press.completeness == Fraction(60 * 3 + 30, 300)
    assert [saw.online_ratio, saw.completeness, saw.timeliness] == [0, 0, 0]
    assert not saw.digital


def test_a_tag_is_known_exactly_as_long_as_it_may_be_silent(watch: Watch) -> None:
    seen, good = np.full(4, watch.now), np.ones(4, bool)
    for second in range(1, 21):
        watch.evidence.tick(watch.now + second * S, seen, good, watch.up, True)
    [press, _] = watch.evidence.devices(watch.now + 20 * S)
    assert press.online_ratio == Fraction(STALE, 20 * S)


def test_a_fresh_sample_that_is_not_good_is_no_evidence(watch: Watch) -> None:
    for second in range(1, 11):
        now = watch.now + second * S
        watch.evidence.tick(now, np.full(4, now), np.zeros(4, bool), watch.up, True)
    assert [device.digital for device in watch.evidence.devices(now)] == [False, False]
    assert [device.online_ratio for device in watch.evidence.devices(now)] == [0, 0]


def test_a_device_is_connected_if_it_was_in_the_window_and_cloud_if_its_data_went_out(watch: Watch) -> None:
    watch.up, watch.delivering = {"press": True}, False
    watch.run(5, [0, 1, 2])
    assert [(d.connected, d.cloud) for d in watch.devices().values()] == [(True, False), (False, False)]
    watch.up, watch.delivering = {"press": False, "saw": True}, True
    watch.run(5, [0])
    assert [(d.connected, d.cloud) for d in watch.devices().values()] == [(True, True), (True, False)]


def test_a_polled_device_is_timely_and_another_is_as_timely_as_its_samples(watch: Watch) -> None:
    watch.evidence.late("saw", 3, 50)
    watch.evidence.late("saw", 1, 50)
    watch.run(2, [0, 3])
    watch.run(2, [0, 3])
    assert [device.timeliness for device in watch.devices().values()] == [1, Fraction(96, 100)]


def test_the_window_forgets_what_is_older_than_seven_days(watch: Watch) -> None:
    watch.run(100, [0, 1, 2])
    watch.tick([], ahead=6 * DAY)
    assert watch.devices()["press"].online_ratio == Fraction(100, 102)
    watch.tick([], ahead=DAY)
    press = watch.devices()["press"]
    assert press.online_ratio == 0
    assert press.digital, "a readable interface that was evidenced once stays evidenced"


def test_a_slot_is_used_again_after_seven_days_without_what_it_held(watch: Watch) -> None:
    watch.run(100, [0, 1, 2])
    watch.tick([], ahead=7 * DAY)
    watch.run(8, [])
    assert watch.devices()["press"].online_ratio == 0
    assert watch.said()["since"] == (T0 + 101 * S + 7 * DAY) // 1_000_000


# -- the clock -----------------------------------------------------------------------------------


def test_a_gap_between_ticks_counts_two_seconds_at_most(watch: Watch) -> None:
    watch.run(8, [0, 1, 2])
    watch.tick([], ahead=600 * S)
    assert watch.devices()["press"].online_ratio == Fraction(8, 10)


@pytest.mark.parametrize("back", [5, 30], ids=["within the hour", "into the hour before"])
def test_a_clock_that_steps_back_counts_nothing_and_goes_on_from_there(watch: Watch, back: int) -> None:
    watch.run(8, [0, 1, 2])
    watch.tick([], ahead=-back * S)
    assert watch.devices()["press"].online_ratio == 1
    watch.run(2, [])
    assert watch.devices()["press"].online_ratio == Fraction(8, 10)


def test_a_clock_that_jumps_far_ahead_and_back_costs_one_hour_at_most() -> None:
    watch = Watch(Evidence(two()), now=T0)
    watch.tick([])
    watch.run(10, [0, 1, 2])
    watch.tick([], ahead=2 * HOUR)
    watch.run(10, [0, 1, 2])
    watch.tick([], ahead=3650 * DAY + 5 * HOUR)
    watch.run(3, [])
    watch.tick([], ahead=-3650 * DAY - 5 * HOUR)
    watch.run(8, [0, 1, 2])
    # Each jump ahead counts two seconds where it lands; the years ahead are not in the window.
    assert watch.devices()["press"].online_ratio == Fraction(28, 30)


def test_parts_of_milliseconds_are_not_lost() -> None:
    watch = Watch(Evidence(two()))
    watch.tick([0])
    for _ in range(1000):
        watch.tick([0], ahead=S // 1000 + 400_000)
    sums = watch.evidence.snapshot()["devices"]["press"]["sums"]
    assert sums[0][0] == 1400


def test_the_since_of_the_summary_is_the_first_tick_that_counts(watch: Watch) -> None:
    assert watch.said()["since"] == (T0 + S) // 1_000_000
    watch.run(3, [])
    assert watch.said()["since"] == (T0 + S) // 1_000_000


# -- levels --------------------------------------------------------------------------------------


def climb(share: int, *machines: str, mapped: frozenset[str] = FULL, late: int = 0) -> Watch:
    """One device `press` that is known `share` of 100 seconds."""
    watch = Watch(Evidence([facts("press", 0, 1, *machines, mapped=mapped)]), n_tags=1)
    watch.tick([])
    watch.run(share, [0])
    if late:
        watch.evidence.late("press", late, 100)
    watch.run(100 - share, [])
    return watch


LEVELS: list[tuple[dict[str, Any], int, list[str]]] = [
    ({"share": 0}, 0, ["no good sample has come from it yet"]),
    ({"share": 49}, 1, ["online 49.0 %, 50 % needed"]),
    ({"share": 50}, 2, ["online 50.0 %, 90 % needed", "completeness 50.0 %, 95 % needed"]),
    ({"share": 94}, 2, ["completeness 94.0 %, 95 % needed"]),
    ({"share": 99, "late": 6}, 2, ["timeliness 94.0 %, 95 % needed"]),
    ({"share": 99, "mapped": FULL - {ALARM}}, 3, [
        "no machine with a calendar takes both its state and its counts from this device",
    ]),
    ({"share": 99, "mapped": FULL - {ALARM, "state"}}, 2, [
        "required tags 71.4 %, 80 % needed; not mapped: state, alarm",
    ]),
]  # fmt: skip


@pytest.mark.parametrize(("given", "level", "lacking"), LEVELS)
def test_the_summary_names_the_level_and_what_the_next_one_lacks(
    given: dict[str, Any], level: int, lacking: list[str]
) -> None:
    watch = climb(**given)
    said = watch.said()["devices"]["press"]
    assert (said["level"], said["name"]) == (level, digital.LEVELS[level])
    assert said["missing"] == lacking
    assert said["level"] == digital.level(watch.devices()["press"])


def test_a_device_whose_line_never_stood_is_not_connected() -> None:
    watch = Watch(Evidence([facts("press", 0, 1)]), n_tags=1)
    watch.up = {"press": False}
    watch.run(10, [0])
    said = watch.said()["devices"]["press"]
    assert (said["level"], said["missing"]) == (1, ["not connected in the last seven days"])


def test_an_oee_is_measured_when_its_data_cover_95_percent() -> None:
    watch = climb(100, "m", "n")
    low = watch.said(m=Fraction(95, 100), n=Fraction(9499, 10_000))["devices"]["press"]
    assert (low["level"], low["missing"]) == (3, ["OEE data of n 94.9 %, 95 % needed"])
    enough = watch.said(m=Fraction(95, 100), n=Fraction(95, 100))["devices"]["press"]
    assert enough["level"] == 4
    assert "the site file cannot declare them yet" in enough["missing"][0]


def test_a_window_without_planned_time_leaves_the_last_verdict_standing() -> None:
    watch = climb(100, "m")
    assert watch.said(m=None)["devices"]["press"]["level"] == 3
    assert watch.said(m=Fraction(1))["devices"]["press"]["level"] == 4
    assert watch.said(m=None)["devices"]["press"]["level"] == 4
    assert watch.said()["devices"]["press"]["level"] == 4


# -- the summary ---------------------------------------------------------------------------------


def test_the_summary_has_the_indices_and_the_scores_of_the_devices(watch: Watch) -> None:
    watch.up = {"press": True}
    watch.run(10, [0, 1, 2])
    said = watch.said(m=Fraction(1))
    assert said["indices"] == {
        "device_digital_rate": 0.5,
        "device_connected_rate_of_all": 0.5,
        "digital_device_connected_rate": 1.0,
        "key_process_nc_rate": None,
        "device_cloud_rate": 0.5,
        "mean_online_ratio_of_connected": 1.0,
        "digital_maturity_index": 40.0,
        "oee_managed_rate": 0.5,
    }
    assert (said["sme"]["q2_digital_rate"], said["sme"]["q3_connected_rate"]) == (4.5, 4.5)
    assert "estimated from evidence" in said["sme"]["note"]
    assert said["devices"]["press"]["last_good"] == watch.now // 1_000_000
    assert said["devices"]["saw"]["last_good"] is None


def test_nothing_is_called_what_only_a_survey_can_find(watch: Watch) -> None:
    assert "普及率" not in orjson.dumps(watch.said()).decode()


def test_a_site_without_devices_has_no_rates() -> None:
    watch = Watch(Evidence([]), n_tags=0)
    watch.run(3, [])
    said = watch.said()
    assert set(said["indices"].values()) == {None}
    assert (said["devices"], said["sme"]["q2_digital_rate"]) == ({}, None)


def test_a_device_without_tags_is_registered_and_no_more() -> None:
    watch = Watch(Evidence([facts("bare", 0, 0, mapped=frozenset({IDENTITY})), facts("saw", 0, 1)]), n_tags=1)
    watch.tick([])
    watch.run(5, [0])
    assert [said["level"] for said in watch.said()["devices"].values()] == [0, 3]


# -- survival ------------------------------------------------------------------------------------


def reopened(evidence: Evidence, devices: list[DeviceFacts]) -> Evidence:
    later = Evidence(devices)
    later.restore(orjson.loads(orjson.dumps(evidence.snapshot())))
    return later


def test_a_restart_loses_nothing_and_observes_nothing_while_it_lasts(watch: Watch) -> None:
    watch.run(50, [0, 1, 2])
    watch.tick([3], ahead=3 * HOUR)
    watch.evidence.late("saw", 1, 4)
    watch.run(50, [3])
    before = watch.said(m=Fraction(99, 100))
    again = Watch(reopened(watch.evidence, two()), now=watch.now)
    assert again.said() == before
    again.tick([], ahead=2 * HOUR)
    assert again.devices() == watch.devices()
    again.run(2, [])
    assert again.devices()["press"].online_ratio == Fraction(50, 104)


def test_devices_that_came_and_went_between_two_lives_disturb_no_other(watch: Watch) -> None:
    watch.run(10, [0, 3])
    saw = watch.devices()["saw"]
    evidence = reopened(watch.evidence, [facts("lathe", 0, 2), facts("saw", 2, 1)])
    lathe, again = evidence.devices(watch.now)
    assert again == saw
    assert lathe.online_ratio == 0
    assert not lathe.digital
    assert not lathe.connected


def test_an_evidence_that_has_seen_nothing_survives_too() -> None:
    evidence = reopened(Evidence(two()), two())
    assert [digital.level(device) for device in evidence.devices(T0)] == [0, 0]

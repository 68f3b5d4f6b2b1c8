"""Every mistake in a site file is found at once, where it is, with what would be right."""

from __future__ import annotations

from pathlib import Path

import pytest
from site_files import DRIVERS, FAKE_SITE, PROFILES, PUBLISHERS, mistakes_of, replaced, site_of, told

from edge_agent.api import ConfigError
from edge_agent.config import load

SEVEN = """\
agent:
  id: gw-01
  timezone: Asia/Shangai
devices:
  press-1:
    driver: fake
    url: fake://10.0.0.5
    poll: fast
    tags:
      state: {address: 0}
      total: {adress: 1}
      scrap: {address: 200}
machines:
  press-1:
    state: {tag: press-1.stat, map: {0: IDEL}}
    counts: {total: press-1.total, scrap: press-1.scrap}
    ideal_cycle: 1.2
"""


def test_seven_mistakes_in_one_file_are_seven_messages_in_line_order(tmp_path: Path) -> None:
    assert told(mistakes_of(tmp_path, SEVEN)) == [
        "3: agent.timezone: 'Asia/Shangai' is not a time zone; did you mean 'Asia/Shanghai'?",
        "8: devices.press-1.poll: 'fast' is not a duration; "
        "write a number with a unit, such as 500ms, 1s, 5min, 8h or 30d",
        "11: devices.press-1.tags.total.adress: unknown key; did you mean 'address'?",
        "12: devices.press-1.tags.scrap.address: '200' must be at most 99",
        "15: machines.press-1.state.tag: 'press-1.stat' names no tag; did you mean 'press-1.state'?",
        "15: machines.press-1.state.map.0: 'IDEL' is not a machine state; did you mean 'IDLE'?",
        "17: machines.press-1.ideal_cycle: '1.2' needs a unit; write a text such as 1.2s or 850ms",
    ]


def test_a_message_begins_with_file_line_and_key(tmp_path: Path) -> None:
    [mistake] = mistakes_of(tmp_path, replaced(FAKE_SITE, "total: {address: 1}", "total: {adress: 1}"))
    path = tmp_path / "site.yaml"
    told_as = "devices.press-1.tags.total.adress: unknown key; did you mean 'address'?"
    assert str(mistake) == f"{path}:8: {told_as}"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("id: gw-01", "id: GW 01", "1: agent.id: 'GW 01' is not an id (a-z, 0-9, '-' and '_', at most 63, "
         "not starting with '-' or '_'); 'gw-01' would do"),
        ("id: gw-01, ", "", "1: agent.id: is missing"),
        ("timezone", "place: {site: a/b}, timezone", "1: agent.place.site: 'a/b' cannot be a level of a "
         "topic; "
         "a text without / + # and not empty"),
        ("timezone", "language: de, timezone", "1: agent.language: 'de' is not one of en, zh"),
        ("fake\n", "fak\n", "4: devices.press-1.driver: 'fak' is no driver; did you mean 'fake'?"),
        ("fake\n", "\n", "4: devices.press-1.driver: is missing; drivers: fake"),
        ("    driver: fake\n", "", "3: devices.press-1.driver: is missing; drivers: fake"),
        ("fake://10.0.0.5", "http://x", "5: devices.press-1.url: 'http://x' is not a fake address; "
         "write fake://10.0.0.5"),
        ("    url: fake://10.0.0.5\n", "", "3: devices.press-1.url: is missing"),
        ("{address: 0}", "{address: abc}", "7: devices.press-1.tags.state.address: 'abc' is not a whole "
         "number"),
        ("{address: 0}", "7", "7: devices.press-1.tags.state: '7' needs keys and values below it, "
         "not a single value or list"),
        ("{address: 0}", "", "7: devices.press-1.tags.state: is empty; keys below it are needed"),
        ("{address: 0}", "{address: 0, range: [1]}",
         "7: devices.press-1.tags.state.range: needs at least 2 values"),
        ("{address: 0}", "{address: 0, range: [9, 1]}",
         "7: devices.press-1.tags.state.range: ends below its start; write the lowest value first"),
        ("      state:", "      Old: {address: 9}\n      state:", "7: devices.press-1.tags.Old: 'Old' is "
         "not an id (a-z, 0-9, '-' "
         "and '_', at most 63, not starting with '-' or '_'); 'old' would do"),
        ("tag: press-1.state", "tag: state", "13: machines.press-1.state.tag: 'state' is not a tag "
         "reference; "
         "write device.tag, such as press-1.state"),
        ("tag: press-1.state", "tag: pres-1.state", "13: machines.press-1.state.tag: 'pres-1.state' "
         "names no tag: "
         "there is no device 'pres-1'; did you mean 'press-1'?"),
        ("map: {0: IDLE, 1: RUN}", "map: {}", "13: machines.press-1.state.map: needs at least 1"),
        ("0: IDLE", "idle: IDLE", "13: machines.press-1.state.map.idle: 'IDLE' this key is not a whole "
         "number; "
         "press-1.state has numbers, not texts"),
        ("scrap: press-1.scrap", "rework: press-1.scrap", "14: machines.press-1.counts: needs exactly two of "
         "total, good, scrap; the third follows; given: total"),
        ("scrap: press-1.scrap", "scrap: press-1.scrap, good: press-1.total", "14: machines.press-1.counts: "
         "needs exactly two of total, good, scrap; the third follows; given: total, good, scrap"),
        ("total: press-1.total", "total: press-1.program", "14: machines.press-1.counts.total: "
         "'press-1.program' "
         "is a text tag, a number is needed here"),
        ("    ideal_cycle: 1.2s\n", "", "12: machines.press-1: has no ideal cycle, so it can have no OEE; "
         "write ideal_cycle: 1.2s, or job: with a tag and products"),
        ("ideal_cycle: 1.2s", "ideal_cycle: 0s", "15: machines.press-1.ideal_cycle: '0s' must be more "
         "than 0"),
        ("ideal_cycle: 1.2s", "job: {tag: press-1.program, products: {A: {}}}",
         "15: machines.press-1.job.products.A.ideal_cycle: is missing"),
        ("ideal_cycle: 1.2s", "job: {tag: press-1.state, products: {A: {ideal_cycle: 1s}}}",
         "15: machines.press-1.job.products.A: this key is not a whole number; "
         "press-1.state has numbers, not texts"),
        ("ideal_cycle: 1.2s", "ideal_cycle: 1.2s\n    calendar: two-shift",
         "16: machines.press-1.calendar: 'two-shift' names no calendar; there are no calendars"),
        ("ideal_cycle: 1.2s", "ideal_cycle: 1.2s\n    unknown: brige", "16: machines.press-1.unknown: "
         "'brige' "
         "is not one of bridge, exclude, down, hold; did you mean 'bridge'?"),
        ("ideal_cycle: 1.2s", "ideal_cycle: 1.2s\n    counter: {bits: 33}",
         "16: machines.press-1.counter.bits: '33' is not one of 16, 32, 64"),
        ("ideal_cycle: 1.2s", "ideal_cycle: 1.2s\n    counter: {max_rate: 0}",
         "16: machines.press-1.counter.max_rate: '0' must be more than 0"),
        ("machines:", "machine:", "11: machine: unknown key; did you mean 'machines'?"),
        ("machines:", "kpi: {min_coverage: 2}\nmachines:", "11: kpi.min_coverage: '2' must be at most 1"),
        ("machines:", "journal: {flush: 1}\nmachines:", "11: journal.flush: '1' needs a unit; "
         "write a text such as 500ms, 1s, 5min (durations) or 64MB (sizes)"),
        ("machines:", "journal: [1]\nmachines:", "11: journal: needs keys and values below it, "
         "not a single value or list"),
        ("machines:", "publish: {p: {type: mqt, url: x}}\nmachines:",
         "11: publish.p.type: 'mqt' is no type; did you mean 'mqtt'?"),
        ("machines:", "publish: {p: {type: mqtt, url: x, profile: jsn}}\nmachines:",
         "11: publish.p.profile: 'jsn' is no profile; did you mean 'json'?"),
        ("machines:", "publish: [mqtt]\nmachines:", "11: publish: needs entries of the form id: {…}"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_where_it_is_with_what_would_be_right(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    assert told(mistakes_of(tmp_path, replaced(FAKE_SITE, old, new))) == [message]


def test_a_key_of_a_device_that_is_written_twice_is_a_mistake(tmp_path: Path) -> None:
    text = replaced(FAKE_SITE, "      scrap: {address: 2}", "      scrap: {address: 2}\n      total: "
     "{address: 9}")
    assert told(mistakes_of(tmp_path, text)) == [
        "10: devices.press-1.tags.total: is written twice; the first is in line 8"
    ]


def test_tags_of_a_broken_device_are_still_known_to_machines(tmp_path: Path) -> None:
    text = replaced(FAKE_SITE, "driver: fake", "driver: nothing-like-it")
    assert [mistake.key for mistake in mistakes_of(tmp_path, text)] == ["devices.press-1.driver"]


def test_a_check_of_a_whole_section_is_made_in_spite_of_an_unknown_key(tmp_path: Path) -> None:
    text = replaced(FAKE_SITE, "fake://10.0.0.5", "fake://10.0.0.5\n    password: short\n    polll: 1s")
    assert told(mistakes_of(tmp_path, text)) == [
        "3: devices.press-1: password short is too short; take eight characters",
        "7: devices.press-1.polll: unknown key; did you mean 'poll'?",
    ]


def test_a_rule_about_a_machine_is_checked_in_spite_of_another_mistake_in_it(tmp_path: Path) -> None:
    text = replaced(FAKE_SITE, "tag: press-1.state,", "").replace("    ideal_cycle: 1.2s\n", "")
    assert [mistake.key for mistake in mistakes_of(tmp_path, text)] == [
        "machines.press-1", "machines.press-1.state.tag",
    ]  # fmt: skip


def test_nothing_is_said_to_be_missing_because_it_was_wrong(tmp_path: Path) -> None:
    text = replaced(FAKE_SITE, "scrap: press-1.scrap", "scrap: press-1.nothing").replace("1.2s", "quick")
    assert [mistake.key for mistake in mistakes_of(tmp_path, text)] == [
        "machines.press-1.counts.scrap", "machines.press-1.ideal_cycle",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "1: site: is empty; start from the output of: edge-agent sample minimal"),
        ("- a\n- b\n", "1: site: is not a site file: its top level has no keys; "
         "start from the output of: edge-agent sample minimal"),
        ("agent: {id: a}\n\tdevices: {}\n", "2: YAML: found character '\\t' that cannot start any token; "
         "indent with spaces, not with tabs"),
        ("agent:\n  id: a: b\n", "2: YAML: mapping values are not allowed here; a text that contains ': ' "
         "needs quotes, and keys of one level need the same indent"),
        ("agent: {id: a\n", "2: YAML: expected ',' or '}', but got '<stream end>'; "
         "while parsing a flow mapping in line 1"),
        ("agent: {id: a}\nring: {memory: ${SIZE}}\n", "2: YAML: expected ',' or '}', but got '{'; "
         'inside { } write "${NAME}" in quotes'),
        ("agent: {id: a}\n---\nagent: {id: b}\n", "2: YAML: but found another document; "
         "a site file is one document: remove the line ---"),
        ("agent: {id: a}\ndevices: &d {x: *d}\n", "2: devices.x: is an alias of something that contains it"),
        ("agent: {id: a}\nkpi: !!python/none x\n", "2: kpi: the YAML tag tag:yaml.org,2002:python/none "
         "is not "
         "used in a site file; remove it"),
        ("agent: {id: a\x07}\n", "1: YAML: holds a control character; remove it"),
        ("devices: {}\n", "1: agent: is missing; write agent: {id: gw-01}"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_site_file_is_told_so(tmp_path: Path, text: str, message: str) -> None:
    assert message in told(mistakes_of(tmp_path, text))


def test_a_file_nested_without_end_is_refused(tmp_path: Path) -> None:
    [mistake] = mistakes_of(tmp_path, "agent: " + "[" * 2_000)
    assert mistake.message == "is nested too deeply"


def test_aliases_that_multiply_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_agent.config.yaml_lines.VALUES_LIMIT", 10_000)
    levels = [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]" for n in range(1, 6)]
    mistakes = mistakes_of(tmp_path, "l0: &l0 [1]\n" + "\n".join(levels))
    assert mistakes[-1].message == "holds too many values"


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = tmp_path / "none.yaml"
    with pytest.raises(ConfigError, match=f"^{path}: cannot be read \\(No such file or directory\\)$"):
        load(path, DRIVERS, PUBLISHERS, profiles=PROFILES)


def test_a_file_in_another_encoding_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_bytes("agent: {id: gw, place: {site: Köln}}".encode("latin-1"))
    with pytest.raises(ConfigError, match="is not a text in UTF-8"):
        load(path, DRIVERS, PUBLISHERS, profiles=PROFILES)


def test_only_the_drivers_a_file_names_are_loaded(tmp_path: Path) -> None:
    class Lazy(dict[str, object]):
        asked: list[str] = []  # noqa: RUF012

        def __getitem__(self, name: str) -> object:
            self.asked.append(name)
            return super().__getitem__(name)

    lazy = Lazy({**DRIVERS, "other": None})
    path = tmp_path / "site.yaml"
    path.write_text(FAKE_SITE)
    load(path, lazy, PUBLISHERS, {}, PROFILES)  # type: ignore[arg-type]
    assert set(lazy.asked) == {"fake"}


def test_a_driver_that_cannot_be_loaded_is_a_mistake_of_its_device(tmp_path: Path) -> None:
    class Broken(dict[str, object]):
        def __getitem__(self, name: str) -> object:
            raise ImportError("no module named 'asyncua'")

    path = tmp_path / "site.yaml"
    path.write_text(FAKE_SITE)
    with pytest.raises(ConfigError, match=r":4: devices.press-1.driver: 'fake' cannot be loaded \(no module"):
        load(path, Broken(DRIVERS), PUBLISHERS, {}, PROFILES)  # type: ignore[arg-type]


def test_the_plain_site_loads(tmp_path: Path) -> None:
    assert str(site_of(tmp_path, FAKE_SITE)) == "Site('gw-01', 1 devices, 1 machines, 0 calendars, 0 publish)"


def test_a_journal_too_small_for_its_files_is_told(tmp_path: Path) -> None:
    [mistake] = mistakes_of(tmp_path, replaced(FAKE_SITE, "machines:", "journal: {max_size: 10MB}\nmachines:"))
    assert (mistake.key, mistake.message.split(";")[0]) == (
        "journal", "max_size holds fewer than 4 files of segment (16 MB each)",
    )  # fmt: skip
    site_of(tmp_path, replaced(FAKE_SITE, "machines:", "journal: {max_size: 10MB, segment: 1MB}\nmachines:"))

"""The profile `template`: shipped files byte by byte, splitting, and every mistake of a user in its line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.config import messages
from edge_agent.encode.message import Message
from edge_agent.encode.template import TemplateProfile, Unusable
from edge_agent.encode.template_data import NAMES
from edge_agent.errors import ConfigError
from edge_agent.platforms.template import TemplateConfig, make
from tests.encode.scene import ALARMS, FINAL, HISTORY, OPEN, SAMPLES, SCENE, STATE, STATUS, compare_with_golden

SHIPPED = Path(__file__).parents[2] / "configs" / "messages"


def profile(folder: Path, text: str) -> TemplateProfile:
    path = folder / "mine.yaml"
    path.write_text(text)
    return make(TemplateConfig(template=path), SCENE)


def mistakes(folder: Path, text: str) -> list[tuple[int, str, str]]:
    with pytest.raises(ConfigError) as raised:
        profile(folder, text)
    assert all(one.file.endswith("mine.yaml") for one in raised.value.mistakes)
    return [(one.line, one.key, one.message) for one in raised.value.mistakes]


def said(message: Message) -> Any:
    return orjson.loads(message.payload)


@pytest.mark.parametrize("name", messages())
def test_the_golden_payloads_are_what_the_shipped_templates_say(name: str) -> None:
    compare_with_golden(f"template-{name}", make(TemplateConfig(template=SHIPPED / f"{name}.yaml"), SCENE))


def test_live_and_history_go_to_two_topics_and_history_is_not_retained(tmp_path: Path) -> None:
    made = profile(tmp_path, """
samples:
  topic: "{{ site }}/{{ 'old' if historical else 'new' }}"
  payload: "{{ samples | json }}"
  retain: true
  qos: 0
""")
    [live], [old] = made.samples(SAMPLES), made.samples(HISTORY)
    assert (live.topic, live.retain, live.qos) == ("suzhou/new", True, 0)
    assert (old.topic, old.retain) == ("suzhou/old", False)
    assert said(old) == [
        {"t": 1795384740000, "tag": "temp", "value": 20.0, "quality": "good", "unit": "Cel"},
        {"t": 1795384740000, "tag": "total", "value": 1200, "quality": "good", "unit": ""},
    ]


def test_there_may_be_a_message_for_each_tag_and_several_rules(tmp_path: Path) -> None:
    made = profile(tmp_path, """
samples:
  - each: tag
    topic: "{{ device }}/{{ tag | level }}"
    payload: "{{ value | json }}"
    format: text
  - each: group
    topic: "{{ device }}"
    payload: '{"t": {{ t }}}'
alarms: {each: alarm, topic: a, payload: "{{ alarm.id | json }}"}
""")
    told = [(one.topic, one.payload) for one in made.samples(SAMPLES)]
    assert told[:2] == [("press-1/temp", b"21.5"), ("press-1/total", b"1234")]
    assert told[-1] == ("press-1", b'{"t":1795384802000}')
    assert [said(one) for one in made.alarms(1, "press-1", ALARMS)] == ["oil-low", "door"]


def test_nothing_is_sent_where_nothing_comes_out(tmp_path: Path) -> None:
    made = profile(tmp_path, "report: {topic: x, payload: '{% if final %}{{ kpi.oee | json }}{% endif %}'}")
    assert made.report(OPEN) == []
    assert len(made.report(FINAL)) == 1
    assert made.state(STATE) == []
    assert made.will() is None


def test_the_will_is_the_status_offline(tmp_path: Path) -> None:
    made = profile(tmp_path, "status: {topic: s, payload: '{{ [online, t] | json }}', retain: true, will: true}")
    will = made.will()
    assert will is not None
    assert (will.topic, will.payload, will.retain) == ("s", b"[false,null]", True)
    assert made.hello(STATUS)[0].payload == b"[true,1795384805000]"
    assert made.goodbye(STATUS)[0].payload == b"[false,1795384805000]"


@given(room=st.integers(60, 400))
def test_samples_are_split_until_they_fit_and_none_is_lost(tmp_path_factory: pytest.TempPathFactory, room: int) -> None:
    made = profile(tmp_path_factory.mktemp("x"), f"""
limits: {{payload: {room}B}}
samples: {{topic: x, payload: "{{{{ groups | json }}}}"}}
""")
    told = [group for message in made.samples(SAMPLES) for group in said(message)]
    found = [(group["t"], name, group["quality"].get(name)) for group in told for name in group["values"]]
    assert len(found) == len(set(found)) == len(SAMPLES.batch)
    for message in made.samples(SAMPLES):
        assert len(message.payload) <= room or len(said(message)[0]["values"]) == 1


def test_what_cannot_be_rendered_later_is_raised_for_the_follower_to_count(tmp_path: Path) -> None:
    made = profile(tmp_path, "status: {topic: s, payload: '{{ counts.n / devices | length }}'}")
    with pytest.raises(Unusable, match="division"):
        made.status(replace(STATUS, devices={}, counts={"n": 1}))
    assert made.hello(replace(STATUS, devices={}, counts={"n": 1})) == []
    assert made.goodbye(replace(STATUS, devices={}, counts={"n": 1})) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", (1, "publish.cloud.template", "has no rule; write one for samples, state")),
        ("state: {topic: x}", (1, "state.payload", "is missing")),
        ("state:\n  topic: x\n  payload: y\n  reatin: true", (4, "state.reatin", "is no key here; known are topic")),
        ("staet: {topic: x, payload: y}", (1, "staet", "is no key here; known are about, limits, samples")),
        ("state:\n- topic: x\n  payload: |\n    {\n    {{ stat }}\n    }", (5, "state.payload", "there is no 'stat'")),
        ("state:\n  topic: x\n  payload: '{{ state.x() }}'", (3, "state.payload", "a call cannot be used here")),
        ("state:\n  topic: x\n  payload: '{% if %}'", (3, "state.payload", "Expected an expression")),
        ("state:\n  topic: x\n  payload: |\n    {{ state }}", (3, "state.payload", "is no JSON")),
        ("state:\n  topic: 'a/+'\n  payload: '1'", (2, "state.topic", "'a/+' is no topic to publish to")),
        ("state:\n  topic: '{{ reason }}'\n  payload: '1'", (2, "state.topic", "'' is no topic to publish to")),
        ("samples: {topic: x, payload: '{{ t }}'}", (1, "samples.payload", "there is no 't' here")),
        ("samples:\n  each: machine\n  topic: x\n  payload: y", (2, "samples.each", "known are device, group, tag")),
        ("state: {topic: x, payload: '1', each: tag}", (1, "state.each", "state has none")),
        ("state: {topic: x, payload: '1', will: true}", (1, "state.will", "only a status")),
        ("status: {topic: x, payload: '{{ t | iso | json }}', will: true}", (1, "status.payload", "as the will: ")),
        ("status:\n  topic: x\n  payload: '{{ counts.n }}'\n  will: true", (3, "status.payload", "then t is none")),
        ("state: {topic: x, payload: '1', qos: 2}", (1, "state.qos", "0 or 1")),
        ("limits: {payload: 5}\nstate: {topic: x, payload: '1'}", (1, "limits.payload", "needs a unit")),
        ("state: {topic: x, payload: '1'}\nstate: {topic: x, payload: '1'}", (2, "state", "is written twice")),
        ("state: &a {topic: x, payload: '1'}\ngap: *a", (2, "publish.cloud.template", "has an alias")),
        ("state: " + "[" * 500_000, (1, "publish.cloud.template", "is nested too deeply")),
        ("state: [", (1, "publish.cloud.template", "is no YAML")),
        ("report: {topic: x, payload: '{{ kpi.oee * 100 }}'}", (1, "report.payload", "cannot be used with NoneType")),
        ("a" * 1_000_001, (0, "publish.cloud.template", "is larger than")),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_line(tmp_path: Path, text: str, found: tuple[int, str, str]) -> None:
    line, key, message = mistakes(tmp_path, text)[0]
    assert (line, key) == found[:2]
    assert found[2] in message


def test_the_end_of_a_job_that_goes_on_is_tried_where_there_are_jobs(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("report: {topic: x, payload: '{{ end | iso | json }}'}")
    config = TemplateConfig(template=path)
    make(config, replace(SCENE, windows=("shift",)))
    with pytest.raises(ConfigError, match=r"report\.payload"):
        make(config, replace(SCENE, windows=("shift", "job")))


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    text = "state: {topic: '{{ a }}', payload: '{{ b }}'}\ngap:\n  topic: '{{ c }}'\n  payload: '1'"
    assert [line for line, _, _ in mistakes(tmp_path, text)] == [1, 1, 3]


def test_a_file_that_is_not_there_is_a_mistake() -> None:
    with pytest.raises(ConfigError, match=r"publish.cloud.template: .*cannot be read: No such file"):
        make(TemplateConfig(template=Path("/nowhere/x.yaml")), SCENE)


@pytest.mark.parametrize("which", NAMES, ids="-".join)
def test_every_name_that_is_told_of_is_given(tmp_path: Path, which: tuple[str, str]) -> None:
    kind, each = which
    payload = " ".join(f"{{{{ {name} | json }}}}" for name in NAMES[which])
    rule = {"topic": "x", "payload": payload, "format": "text", **({"each": each} if each else {})}
    assert profile(tmp_path, orjson.dumps({kind: rule}).decode())

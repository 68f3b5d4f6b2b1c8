"""What the agent says of tags, connections and refusals is read in Chinese, too; what has no words stays as it came."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

import edge_agent
import edge_agent_modbus
import edge_agent_opcua
from edge_agent.api import GOOD, Kind, Reason, Tag, bad, uncertain
from edge_agent.core.ring import NEVER
from edge_agent.health import Line
from edge_agent.pages.words import Words
from edge_agent.pages.words.agent import SENTENCES
from edge_agent.web.guesses import Forbidden, Guesses
from edge_agent.why import why
from edge_agent_modbus.why import exception
from tests.test_why import FACTS, LOST, NOW, STANDS, S

CHINESE = Words("zh")
# Names of keys and of techniques, and what the cases below call their equipment.
NAMES = re.compile(r"press-1\.\w+|\S+://\S+|unit 1|holding[: ][\d.]+|range:|stale:|map:|poll:|NTP|Cel")
SILENT = replace(
    LOST, error="10.0.0.5:502 unit 1: no answer to reading holding 0..9 within 1s, asked 2 times"
)


def scenes() -> Iterator[str]:
    """Every kind of sentence that the chain of a tag has."""
    tag = Tag(0, "press-1", "total", kind=Kind.FLOAT, unit="Cel", low=0.0, high=5.0)
    opening = Line("press-1", "opc.tcp://a:4840", "connecting", NOW - S)
    once = replace(SILENT, failures=1, next_ns=NOW - S)
    for reason in Reason:
        for quality in (bad(reason), uncertain(reason), GOOD | reason):
            for line in (SILENT, STANDS, opening, once, replace(once, failures=3), replace(SILENT, failures=1)):
                facts = replace(FACTS, tag=tag, value=7.25, quality=quality, line=line)
                yield from why(facts)
                yield from why(replace(facts, source="", good_time=NEVER, value=None))
                yield from why(replace(facts, time=NEVER))


def test_the_whole_chain_of_reasons_behind_a_tag_is_in_chinese() -> None:
    said = {sentence: CHINESE.told(sentence) for sentence in scenes()}
    english = {told for told in said.values() if re.search("[A-Za-z]{2,}", NAMES.sub("", told))}
    assert english == set()
    assert Words("en").told("no answer") == "no answer"
    [told] = {told for sentence, told in said.items() if sentence.startswith("the line modbus") and ": 10" in sentence
              and "4 min" in sentence}  # fmt: skip
    assert told == (
        "与 modbus+tcp://10.0.0.5:502?unit=1 的连接自 14:03:07 起中断（已 4 分 12 秒）："
        "10.0.0.5:502 unit 1：读取 holding 0..9 在 1 秒内无应答，已询问 2 次"
    )


@pytest.mark.parametrize(
    ("english", "chinese"),
    [
        ("bert is a viewer; this needs an engineer", "bert 是查看者，此操作需要工程师"),
        ("no shift is open now", "当前没有班次"),
        ("modbus+tcp://a:502: connection refused; nothing listens on this port",
         "modbus+tcp://a:502：连接被拒绝，该端口没有服务"),
        (f"the device refuses holding 7: {exception(2)}",
         "设备拒绝 holding 7：异常码 2（非法地址：设备没有该地址；请对照手册，注意地址从 0 还是从 1 起算）"),
        ("apply 0123456789ab in place of ba9876543210 a second cnc",
         "应用 0123456789ab，替换 ba9876543210：a second cnc"),
        ("input 100 on the wire, Modicon 30101", "报文地址 input 100，Modicon 30101"),
        ("goes up by 1 to 3", "每次增加 1 至 3"),
        ("bert is operator now, with a new password", "bert 的角色设为操作员，并重设密码"),
        ("nothing was changed: the audit log cannot be written (No space left on device)",
         "未做任何更改：审计日志无法写入（No space left on device）"),
        # What firmware or a site says stays as it came.
        ("spindle: door open", "spindle: door open"),
        ("{braces} and 100 % of it", "{braces} and 100 % of it"),
        ("", ""),
    ],
)  # fmt: skip
def test_refusals_and_what_is_in_the_audit_log_are_in_chinese_as_far_as_they_are_known(
    english: str, chinese: str
) -> None:
    assert CHINESE.told(english) == chinese


def test_a_guess_that_is_refused_says_in_chinese_how_long_to_wait() -> None:
    guesses = Guesses("passwords", lambda: 0.0)
    for _ in range(100):
        guesses.note("from 10.0.0.9")
    with pytest.raises(Forbidden) as refused:
        guesses.check("from 10.0.0.9")
    assert re.fullmatch(r"错误次数过多，请 \d+ 秒后再试", CHINESE.told(refused.value))


# Said in pieces, or by the system.
PUT_TOGETHER = (
    "connection lost while reading", "connection lost (reset) while reading", "Name or service not known",
    "the server does not serve it: it is gone; it is asked again soon", "bert is operator now, with a new password",
    "1 bit is set", "2 bits are set", "goes up by 1 to 2",
)  # fmt: skip


@cache
def literals() -> str:
    """Every text in the sources of the agent and its drivers."""
    folders = [Path(str(one.__file__)).parent for one in (edge_agent, edge_agent_modbus, edge_agent_opcua)]
    files = [file for folder in folders for file in folder.rglob("*.py") if "pages" not in file.parts]
    trees = (ast.parse(file.read_text(encoding="utf-8")) for file in files)
    found = {node.value for tree in trees for node in ast.walk(tree)
             if isinstance(node, ast.Constant) and isinstance(node.value, str)}  # fmt: skip
    return "\n".join(found)


def test_the_table_has_nothing_that_the_agent_does_not_say() -> None:
    spoken = {*scenes(), *map(exception, range(12)), *map(os.strerror, range(1, 134)), *PUT_TOGETHER}
    heard = "\n".join(spoken) + literals()
    unsaid = [
        english
        for english, _ in SENTENCES
        if not all(part in heard for part in re.split(r"\{\w+\}", english) if len(part) > len(" is: "))
    ]
    assert "\n".join(unsaid) == ""


def test_a_sentence_keeps_its_names_and_numbers() -> None:
    blank = re.compile(r"\{(\w+)\}")
    for english, chinese in SENTENCES:
        assert set(blank.findall(chinese)) == set(blank.findall(english)) - {"_"}, english
        assert re.search("[\u4e00-\u9fff]", chinese), english
    assert len({english for english, _ in SENTENCES}) == len(SENTENCES)

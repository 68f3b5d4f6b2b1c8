"""What users write as templates: what it can do, and that it can do no more."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import TemplateSyntaxError

from edge_agent.encode import template_language
from edge_agent.encode.template_language import Language

LANGUAGE = Language()
DATA: dict[str, Any] = {
    "name": "a/b", "t": 1795384800123, "n": 3, "list": [1, 2, 3], "group": {"temp": 21.5, "items": None}, "none": None,
}  # fmt: skip


TWICE, END = "{% for x in many %}{% for y in many %}", "{% endfor %}{% endfor %}"


def rendered(source: str, **data: Any) -> str:
    given = {**DATA, **data}
    return LANGUAGE.renderer(source, given).render(given)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{{ group.temp }} {{ group['temp'] }} {{ list[0] }} {{ list[1:] | json }}", "21.5 21.5 1 [2,3]"),
        ("{{ t | iso }} {{ t | iso('Asia/Shanghai') }}", "2026-11-22T22:00:00.123Z 2026-11-23T06:00:00.123+08:00"),
        ("{{ t | time('%Y%m%dT%H%M%SZ') }} {{ t | s }}", "20261122T220000Z 1795384800"),
        ("{{ t | iso | ms }} {{ t | iso('Asia/Shanghai') | ms }}", "1795384800123 1795384800123"),
        ("{{ group | json }} {{ 'x\"y' | json }} {{ none | json }}", '{"temp":21.5,"items":null} "x\\"y" null'),
        ("{% for k, v in group | items %}{{ k }}={{ v }}{{ '' if loop.last else ',' }}{% endfor %}",
         "temp=21.5,items=None"),
        ("{% for one in list if one > 1 %}{{ loop.index }}:{{ one }} {% else %}none{% endfor %}", "1:2 2:3 "),
        ("{% for x in list | reverse %}{{ x }}{% endfor %} {{ [3, 1, 3] | sort | unique | join }}", "321 13"),
        ("{{ 2.567 | round(2) }} {{ 2.1 | round(0, 'ceil') }} {{ 17 | round(-1) }} {{ '0x1f' | int(0, 16) }}",
         "2.57 3.0 20 31"),
        ("{% set x = n + 1 %}{{ x * 2 }} {{ 'a' ~ n ~ 'b' }} {{ 'a' + 'b' }} {{ n // 2 }}", "8 a3b ab 1"),
        ("{{ name | level }} {{ name | replace('/', '-') }} {{ list | join('+') }}", "a_b a-b 1+2+3"),
        ("{{ 'good' | opc }} {{ 'uncertain' | opc }} {{ 'bad' | opc }}", "192 64 0"),
        ("{{ group.items is none }} {{ group.gone is defined }} {{ group.gone | default('-') }}", "True False -"),
        ("{{ group.items }}", "None"),
    ],
)  # fmt: skip
def test_what_can_be_written(source: str, text: str) -> None:
    assert rendered(source) == text


@pytest.mark.parametrize(
    "source",
    [
        "{{ name.upper() }}",
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ range(10) }}",
        "{{ dict(a=1) }}",
        "{{ list.append(1) }}",
        "{{ 9 ** 9 }}",
        "{% macro m() %}{% endmacro %}",
        "{% include 'x' %}",
        "{% import 'x' as y %}",
        "{% extends 'x' %}",
        "{% block b %}{% endblock %}",
        "{% set x %}a{% endset %}",
        "{% filter upper %}a{% endfilter %}",
        "{% for a in list recursive %}{{ loop(a) }}{% endfor %}",
        "{{ name | attr('__class__') }}",
        "{{ name | format(1) }}",
        "{{ name | center(99999999) }}",
        "{{ list | map('upper') }}",
        "{{ list | batch(2) }}",
        "{{ name | join(*list) }}",
        "{{ name is callable }}",
        "{{ name is filter }}",
        "{% set n.x = 1 %}",
        "{{ unknown }}",
        "{{ self }}",
        "{{ super }}",
        "{{ name | }}",
        "{% if %}",
    ],
)
def test_what_cannot_be_written_is_told_with_its_line(source: str) -> None:
    with pytest.raises(TemplateSyntaxError) as raised:
        LANGUAGE.renderer(f"text\n{source}\n", DATA)
    assert raised.value.lineno == 2
    assert raised.value.message


@pytest.mark.parametrize(
    "source",
    [
        "{{ name.__class__ }}",
        "{{ name['__class__'] }}",
        "{{ list.__len__ }}",
        "{{ loop }}{{ group.__init__ }}",
        "{{ ([] | json).__class__.__base__ }}",
        "{% for x in list %}{{ loop.__class__ }}{% endfor %}",
        "{% for x in list %}{{ loop._iterable }}{% endfor %}",
        "{% for x in list %}{{ loop.cycle }}{% endfor %}",
        "{{ t.real }}",
        "{{ (t | iso).format }}",
        "{{ none.__class__ }}",
    ],
)
def test_there_is_no_way_to_what_is_behind_the_data(source: str) -> None:
    with pytest.raises(ValueError, match=r"has no|undefined|no attribute"):
        rendered(source, loop="")


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("{{ name * 99999999 }}", "cannot be used"),
        ("{{ 'a' % 1 }}", "cannot be used"),
        ("{{ '%99999999d' % n }}", "cannot be used"),
        ("{{ list * 9 }}", "cannot be used"),
        ("{% set a = n %}" + "{% set a = a * a %}" * 40 + "{{ a }}", "too large"),
        ("{% set a = name %}" + "{% set a = a ~ a %}" * 40 + "{{ a }}", "more than|too long"),
        ("{% set a = name %}" + "{% set a = a + a %}" * 40 + "{{ a }}", "more than|too long"),
        ("{% set a = list + list %}", "cannot be used"),
        ("{% set a = 'aa' %}" + "{% set a = a | replace('a', a) %}" * 40 + "{{ a }}", "more than|too long"),
        ("{% set a = name %}" + "{% set a = [a, a] | join %}" * 40 + "{{ a }}", "more than|too long"),
        ("{% set a = [name] %}{% set a = [a, a] %}", "cannot be put into"),
        ("{% set a = {'a': list} %}", "cannot be put into"),
        ("{% set a = (1, list) %}", "cannot be put into"),
        ("{{ list }}", "json"),
        ("{{ [group] | join }}", "json|cannot be put into"),
        ("{% for a in many %}" * 5 + "x" + "{% endfor %}" * 5, "go round"),
        ("{% for a in many %}{% for b in many %}{{ text }}{% endfor %}{% endfor %}", "more than|too long"),
        ("{{ t | time('%999999999d') }}", "time takes"),
        ("{% for a in name %}{% endfor %}", "goes over a list"),
        ("{% for a in 5 %}{% endfor %}", "goes over a list"),
        ("{{ 1 / 0 }}", "division"),
        ("{{ t | iso('../etc') }}", "no time zone"),
        ("{{ t | iso('America') }}", "no time zone"),
        ("{{ t | time('%H', '" + "x" * 500 + "') }}", "no time zone"),
        ("{{ n | round(999999999, 'ceil') }}", "round takes"),
        ("{{ 5 | round(-999999999) }}", "round takes"),
        ("{% set a = 'f' %}" + "{% set a = a ~ a %}" * 21 + "{% set a = a | int(0, 16) %}{% set a = a * a %}", "large"),
        ("{% set a = name %}" + "{% set a = a ~ a %}" * 19 + "{% set b = a ~ 'b' %}" * 99, "too long"),
        ("{% set a = name %}" + "{% set a = a ~ a %}" * 20 + TWICE + "{{ a | upper | length }}" + END, "too long"),
        ("{% set a = name %}" + "{% set a = a ~ a %}" * 20 + TWICE + "{{ a[::-1] == a }}" + END, "too long"),
        ("{% set a = name %}" + "{% set a = a ~ a %}" * 20 + TWICE + "{{ 'c' in a }}" + END, "too long"),
        (TWICE + "{% if n < 3 %}x{% endif %}" * 500 + END, "go round"),
        ("{{ list | unique }}", "json"),
        ("{{ loop_ }}", "json"),
        ("{{ group.gone }}", "gone"),
    ],
)
def test_nothing_grows_beyond_bounds(source: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        rendered(source, many=list(range(200)), text="x" * 1000, loop_=object())


@pytest.mark.parametrize(
    "source",
    [
        "{{ " + "(" * 3000 + "1" + ")" * 3000 + " }}",
        "{{ " + " + ".join(["n"] * 5000) + " }}",
        "{% for a in list %}" * 25 + "x" + "{% endfor %}" * 25,
        "{% if n %}" * 120 + "x" + "{% endif %}" * 120,
    ],
)
def test_what_is_nested_too_deeply_for_python_is_told_so(source: str) -> None:
    with pytest.raises(TemplateSyntaxError, match="nested too deeply"):
        LANGUAGE.renderer(source, DATA)


def test_the_samples_of_a_large_record_are_well_within_the_budget() -> None:
    samples = [{"t": n, "tag": "temp", "value": n / 2, "quality": "good", "unit": "Cel"} for n in range(20_000)]
    source = (
        '[{% for s in samples %}{"t":{{ s.t }},"n":{{ s.tag | json }},"v":{{ s.value | json }},'
        '"q":{{ s.quality | opc }},"u":{{ s.unit | json }}}{% if not loop.last %},{% endif %}{% endfor %}]'
    )
    assert rendered(source, samples=samples).count('"t":') == 20_000


ATOMS = [
    "{{", "}}", "{%", "%}", " for ", " in ", " if ", " set ", "=", "name", "list", "group", "|", "json", "join", "~",
    "(", ")", "[", "]", ".", "__class__", "endfor", "endif", "'a'", "1", "*", "+", "loop", "{", "}", ":", ",",
]  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(ATOMS), max_size=20))
def test_whatever_is_written_renders_or_says_why_not(parts: list[str]) -> None:
    try:
        renderer = LANGUAGE.renderer("".join(parts), DATA)
    except TemplateSyntaxError:
        return
    try:
        text = renderer.render(DATA)
    except ValueError:
        return
    assert "class" not in text or "__class__" in "".join(parts)
    assert len(text) <= template_language.LARGEST

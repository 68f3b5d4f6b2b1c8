"""The verdicts as JUnit XML: a test suite a scenario, a test case a verdict; what every CI server reads."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from edge_agent_hil.runner.judge_kpis import oee_error
from edge_agent_hil.runner.played import Played
from edge_agent_hil.runner.verdict import Verdict

# What XML 1.0 has no place for, as a log may have it.
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
LOG_TAIL = 20_000


def junit(results: Sequence[tuple[Played, Sequence[Verdict]]]) -> bytes:
    """The document, UTF-8."""
    root = Element("testsuites", name="edge-hil")
    for played, verdicts in results:
        suite = SubElement(root, "testsuite", _head(played, verdicts))
        properties = SubElement(suite, "properties")
        SubElement(properties, "property", name="seed", value=str(played.seed))
        SubElement(properties, "property", name="pain", value=_clean(played.loaded.file.pain))
        for machine in played.machines.values():
            if (error := oee_error(played, machine)) is not None:
                SubElement(properties, "property", name=f"oee error {machine.name}", value=f"{error:.6f}")
        names: Counter[str] = Counter()
        for verdict in verdicts:
            names[verdict.name] += 1
            again = f" {names[verdict.name]}" if names[verdict.name] > 1 else ""
            case = SubElement(suite, "testcase", classname=played.loaded.name, name=verdict.name + again, time="0")
            if not verdict.holds:
                told = f"expected {verdict.wanted}, found {verdict.found}"
                SubElement(case, "failure", message=_clean(told)).text = _clean(verdict.detail)
        if played.skipped:
            case = SubElement(suite, "testcase", classname=played.loaded.name, name="played", time="0")
            SubElement(case, "skipped", message=_clean(played.skipped))
        SubElement(suite, "system-out").text = _clean(played.log[-LOG_TAIL:])
    for key in ("tests", "failures"):
        root.set(key, str(sum(int(suite.get(key, "0")) for suite in root)))
    indent(root)
    document: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return document


def _head(played: Played, verdicts: Sequence[Verdict]) -> dict[str, str]:
    began = datetime.fromtimestamp(played.begin / 1e9, UTC).isoformat(timespec="seconds") if played.begin else ""
    return {
        "name": played.loaded.name,
        "tests": str(len(verdicts) or int(bool(played.skipped))),
        "failures": str(sum(not verdict.holds for verdict in verdicts)),
        "errors": "0",
        "skipped": str(int(bool(played.skipped))),
        "time": f"{played.seconds:.3f}",
        "timestamp": began,
    }


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("\ufffd", text)

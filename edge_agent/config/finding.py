"""How our own checks report: any number of findings in one pydantic error, each with its own place."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pydantic_core import PydanticCustomError

from edge_agent.config.yaml_lines import Key

FINDINGS = "edge_agent_findings"
"""The pydantic error type; its `ctx["findings"]` is a list of `Finding`."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One mistake, at `at` below the value that is checked; a leading `..` goes up from it.

    `is_missing`: something is not there, which is forgiven where it is only misspelt.
    """

    message: str
    hint: str = ""
    at: Key = ()
    is_missing: bool = False


def report(findings: Sequence[Finding]) -> None:
    """Raise what a pydantic validator may raise, if there is anything to report."""
    if findings:
        texts = "; ".join(finding.message for finding in findings).replace("{", "(").replace("}", ")")
        raise PydanticCustomError(FINDINGS, texts, {"findings": list(findings)})


def did_you_mean(written: str, known: Iterable[str], what: str = "") -> str:
    """`did you mean 'address'?`, or what there is: `known keys are a, b`."""
    names = [str(name) for name in known]
    near = difflib.get_close_matches(written, names, n=1, cutoff=0.6)
    if not near:
        lower = {name.lower(): name for name in names}
        near = [lower[name] for name in difflib.get_close_matches(written.lower(), lower, n=1, cutoff=0.6)]
    if near:
        return f"did you mean '{near[0]}'?"
    if not names:
        return f"there are no {what}" if what else ""
    shown = ", ".join(sorted(names)[:20]) + (", …" if len(names) > 20 else "")
    return f"{what or 'known'}: {shown}"

"""The questionnaire for small and medium enterprises: what the evidence supports, and what it rests on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from edge_agent.pages.words import NOTHING, Words

Said = Mapping[str, Any]


def sme(said: Said, words: Words) -> Markup:
    """The answers that the evidence supports, and what each rests on."""
    told = said["sme"]
    note = "note_zh" if words.language == "zh" else "note"
    rows = [_answer(words(f"sme.{key}"), told[key], told[key]["evidence"], said, words) for key in ("q2", "q3")]
    rows.append(_answer(words("sme.q4"), told["q4"], (), said, words))
    links = [
        Markup("<tr><td>{}</td><td>{}</td></tr>").format(
            _both(name, link["en"], words), _names(link["evidence"], said, words)
        )
        for name, link in told["q4"]["links"].items()
    ]
    scenes = [
        Markup('<tr><td>{}</td><td class="n"><b>{}</b></td><td>{}</td><td>{}</td></tr>').format(
            _both(name, scene["en"], words),
            scene["level"] or NOTHING,
            scene["what_zh" if words.language == "zh" else "what"],
            _names(scene["evidence"], said, words),
        )
        for name, scene in told["scenes"].items()
    ]
    return Markup(
        '<p class="remark">{note}</p><div class="scroll"><table class="plain"><thead><tr><th>{question}</th>'
        '<th class="n">{rate}</th>'
        '<th class="n">{points}</th><th>{evidence}</th></tr></thead><tbody>{rows}</tbody></table></div>'
        '<div class="two tight"><div class="scroll"><h3>{links_title}</h3><table class="plain">'
        "<tbody>{links}</tbody></table></div>"
        '<div class="scroll"><h3>{scenes_title}</h3><table class="plain"><tbody>{scenes}</tbody></table></div>'
        '</div><p class="soft">{outside}</p>'
    ).format(
        note=f"{words('sme.edition', edition=told['edition'])}: {told[note]}",
        question=words("sme.question"),
        rate=words("sme.rate"),
        points=words("sme.points"),
        evidence=words("sme.evidence"),
        rows=Markup("").join(rows),
        links_title=words("sme.links"),
        links=Markup("").join(links),
        scenes_title=words("sme.scenes"),
        scenes=Markup("").join(scenes),
        outside=words("sme.outside"),
    )


def _answer(title: str, answer: Said, evidence: Sequence[str], said: Said, words: Words) -> Markup:
    return Markup('<tr><td>{}</td><td class="n">{}</td><td class="n"><b>{}</b> / {}</td><td>{}</td></tr>').format(
        title,
        words.percent(answer.get("rate")) if "rate" in answer else "",
        words.number(answer["points"], 1),
        answer["of"],
        _names(evidence, said, words) if evidence else "",
    )


def _names(ids: Sequence[str], said: Said, words: Words) -> str:
    return ", ".join(said["devices"][one]["entry"]["title"] for one in ids) or words("sme.no_evidence")


def _both(chinese: str, english: str, words: Words) -> str:
    return chinese if words.language == "zh" else f"{english} ({chinese})"

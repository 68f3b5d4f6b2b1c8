"""How digital the plant is, as a workbook: the indices are formulas over the sheet of equipment.

A plant may so see what a figure would be if a machine were connected: change its 0 to 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any, Final

from xlsxwriter import Workbook

from edge_agent.report.book.sheet import Book, Column, Formula, Sheet, Value
from edge_agent.report.plant import PlantDocument, Said, status_of, titles
from edge_agent.report.words import Language, Words
from edge_agent.report.words.digital import INDICATORS, INDICES, ITEMS

FLAGS: Final = ("counted", "digital", "connected", "cloud", "oee_managed", "key", "key_automatic")
"""Columns of 0 and 1 in the sheet of equipment; all but the first only where it is 1."""

FORMULAS: Final[Mapping[str, str]] = {
    "device_digital_rate": "SUM({digital})/SUM({counted})",
    "device_connected_rate_of_all": "SUM({connected})/SUM({counted})",
    "digital_device_connected_rate": "SUM({connected})/SUM({digital})",
    "key_process_nc_rate": "SUM({key_automatic})/SUM({key})",
    "device_cloud_rate": "SUM({cloud})/SUM({counted})",
    "oee_managed_rate": "SUM({oee_managed})/SUM({counted})",
    "required_tag_coverage": "SUM({mapped})/SUM({required})",
    "mean_online_ratio_of_connected": "SUMIFS({online},{connected},1)/SUM({connected})",
    "digital_maturity_index": "100*SUMIFS({level},{counted},1)/(5*SUM({counted}))",
}
"""The evidenced indices that follow from single pieces of equipment."""


def digital_book(document: PlantDocument, language: Language) -> bytes:
    """The file's content."""
    words = Words(language, document.head.zone)
    content = BytesIO()
    with Workbook(content, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}) as workbook:
        workbook.set_properties({"title": words("title.digital")})
        book = Book(workbook)
        workbook.add_worksheet(words("indices"))
        _indices(book, words, document, _assets(book, words, document))
        _tags(book, words, document)
        _quality(book, words, document)
    return content.getvalue()


def sme_book(document: PlantDocument, language: Language) -> bytes:
    """The file's content."""
    words = Words(language, document.head.zone)
    content = BytesIO()
    with Workbook(content, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}) as workbook:
        workbook.set_properties({"title": words("title.sme")})
        book = Book(workbook)
        _answers(book, words, document)
        _scenes(book, words, document)
        _proofs(book, words, document)
    return content.getvalue()


def _notes(words: Words, document: PlantDocument) -> list[str]:
    head, said = document.head, document.said
    told = [
        " · ".join((*head.place, head.agent, f"edge-agent {head.version}")),
        words("digital.note", since=words.moment(said["since"] * 10**6), until=words.moment(said["until"] * 10**6),
              observed=words.seconds(said["observed_s"])),
    ]  # fmt: skip
    if not said["register"]["kept"]:
        told.append(words("register.none"))
    if said["register"]["unlisted"]:
        told.append(words("register.unlisted", names=", ".join(said["register"]["unlisted"])))
    if head.passed_over:
        told.append(words("head.passed_over", n=head.passed_over))
    return told


def _indices(book: Book, words: Words, document: PlantDocument, places: Mapping[str, str]) -> None:
    columns = [
        Column(words("index"), width=48), Column(words("evidenced"), "number"), Column(words("declared"), "number"),
        Column(words("by_value"), "number"), Column(words("by_planned_time"), "number"),
        Column(words("name"), width=34), Column(words("how.title"), width=60),
    ]  # fmt: skip
    sheet = Sheet(book, words("indices"), columns, [*_notes(words, document), words("indices.note")])
    said = document.said
    for name in INDICES:
        value = said["indices"][name]
        formula = FORMULAS.get(name)
        evidenced: Value = value
        if formula is not None and value is not None:
            evidenced = Formula("=" + formula.format(**places), value)
        sheet.row([
            words(f"index.{name}"), evidenced, said["declared"][name], said["by_value"].get(name),
            said["by_planned_time"].get(name), name, words(f"how.{name}"),
        ])  # fmt: skip


def _assets(book: Book, words: Words, document: PlantDocument) -> dict[str, str]:
    """The sheet of equipment; returns where the columns stand that indices are made of."""
    numbers = ("level", *FLAGS, "online", "required", "mapped")
    columns = [
        Column(words("asset"), width=24), Column("id", width=18),
        *(Column(words(f"column.{name}"), _look(name), name) for name in numbers),
        Column(words("declared_level"), "whole"), Column(words("declared.word"), width=24),
        Column(words("class"), width=22), Column(words("type")), Column(words("location")),
        Column(words("identifier"), width=30), Column(words("key_operation")), Column(words("status")),
        *(Column(words(f"quality.{name}"), "ratio") for name in ("completeness", "timeliness", "score")),
        Column(words("oee_coverage"), "ratio"), Column(words("energy_metered")), Column(words("protocol")),
        Column(words("sme.tag"), width=24), Column(words("sme.last_good"), width=27),
        Column(words("why_not"), width=90),
    ]  # fmt: skip
    sheet = Sheet(book, words("assets"), columns)
    for name, one in document.assets:
        entry, quality = one["entry"], one["quality"]
        sheet.row([
            entry["title"], name, *_counted(one), one["declared_level"], ", ".join(one["declared"]),
            words.either(entry["class_en"], entry["class_zh"]), entry["type"], entry["location"], entry["identifier"],
            entry["key_operation"] or "", words(f"status.{status_of(entry)}"),
            one["completeness"], one["timeliness"], quality["score"], one["oee_coverage"],
            words("yes" if one["energy_metered"] else "no"), *_proof(words, one),
            "; ".join(words.either(reason["en"], reason["zh"]) for reason in one["reasons"]),
        ])  # fmt: skip
    sheet.filter()
    return {name: sheet.whole(2 + at) for at, name in enumerate(numbers)}


def _look(name: str) -> Any:
    return "ratio" if name == "online" else "whole"


def _counted(one: Said) -> list[Value]:
    """Level, the flags, online ratio, and how many tags its class requires and it has."""
    entry, counts = one["entry"], bool(one["entry"]["counted"])
    key = counts and entry["key_operation"] is not None
    flags = (
        counts, counts and one["level"] >= 1, counts and one["connected"], counts and one["cloud"],
        counts and one["level"] >= 4, key, key and entry["automatic"],
    )  # fmt: skip
    tags = one["tags"].values() if counts else ()
    mapped = sum(tag != "missing" for tag in tags)
    return [one["level"], *map(int, flags), one["online_ratio"], len(tags), mapped]


def _proof(words: Words, one: Said) -> tuple[str, str, str]:
    last = words.moment_with_offset(one["last_good"] * 10**6) if one["last_good"] else ""
    return one["protocol"] or "", one["tag"] or "", last


def _tags(book: Book, words: Words, document: PlantDocument) -> None:
    columns = [Column(words("asset"), width=24), *(Column(words(f"item.{item}"), width=22) for item in ITEMS)]
    sheet = Sheet(book, words("tags"), columns)
    for _, one in document.assets:
        if one["entry"]["counted"]:
            told = [words(f"tag.{one['tags'][item]}") if item in one["tags"] else "" for item in ITEMS]
            sheet.row([one["entry"]["title"], *told])


def _quality(book: Book, words: Words, document: PlantDocument) -> None:
    columns = [
        Column(words("device"), width=24), Column(words("protocol")), Column(words("online"), "ratio"),
        *(Column(words(f"quality.{name}"), "ratio") for name in INDICATORS), Column(words("age") + ", ms", "whole"),
    ]  # fmt: skip
    sheet = Sheet(book, words("quality"), columns, [words("quality.note")])
    for name, one in document.said["sources"].items():
        quality = [one["quality"][key] for key in INDICATORS]
        sheet.row([name, one["protocol"], one["online_ratio"], *quality, one["age_p95_ms"]])


def _answers(book: Book, words: Words, document: PlantDocument) -> None:
    sme = document.said["sme"]
    columns = [
        Column(words("sme.question"), width=44), Column(words("sme.points"), "number"),
        Column(words("sme.of"), "whole"), Column(words("sme.rate"), "ratio"), Column(words("sme.evidence"), width=80),
    ]  # fmt: skip
    notes = [f"{words('sme.edition', edition=sme['edition'])}: {words.either(sme['note'], sme['note_zh'])}"]
    sheet = Sheet(book, words("sme.sheet"), columns, [*notes, *_notes(words, document), words("sme.outside")])
    for key in ("q2", "q3"):
        one = sme[key]
        sheet.row([words(f"sme.{key}"), one["points"], one["of"], one["rate"], _named(document, one["evidence"])])
    sheet.row([words("sme.q4"), sme["q4"]["points"], sme["q4"]["of"], None, ""])
    for name, link in sme["q4"]["links"].items():
        sheet.row([f"   {words.either(link['en'], name)}", None, None, None, _named(document, link["evidence"])])


def _scenes(book: Book, words: Words, document: PlantDocument) -> None:
    columns = [
        Column(words("sme.scene"), width=28), Column(words("level"), "whole"), Column(words("sme.what"), width=60),
        Column(words("sme.evidence"), width=80),
    ]  # fmt: skip
    sheet = Sheet(book, words("sme.scenes"), columns)
    for name, one in document.said["sme"]["scenes"].items():
        what = words.either(one["what"], one["what_zh"])
        sheet.row([words.either(one["en"], name), one["level"] or None, what, _named(document, one["evidence"])])


def _proofs(book: Book, words: Words, document: PlantDocument) -> None:
    columns = [
        Column(words("asset"), width=24), Column("id", width=18), Column(words("class"), width=22),
        Column(words("location")), Column(words("identifier"), width=30), Column(words("level"), "whole"),
        Column(words("protocol")), Column(words("sme.tag"), width=24), Column(words("sme.last_good"), width=27),
    ]  # fmt: skip
    sheet = Sheet(book, words("sme.proof"), columns)
    for name, one in document.proofs:
        entry = one["entry"]
        cls = words.either(entry["class_en"], entry["class_zh"])
        told = (entry["title"], name, cls, entry["location"], entry["identifier"], one["level"])
        sheet.row([*told, *_proof(words, one)])


def _named(document: PlantDocument, names: Sequence[str]) -> str:
    return ", ".join(titles(names, document.said["devices"]))

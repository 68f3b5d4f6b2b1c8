"""KPI reports as MESA KPI-ML V01 (ISO 22400 in XML): one `ShowKPIValue` document, valid by its schema.

A KPIValue has its formula and every element the formula names as Properties, so whoever reads it can compute
it again. What its KPIInstanceID points to, and the definitions those point to, are in the UserArea of the
document's ApplicationArea, where the schema lets any element be.

The KPI Markup Language (KPI-ML) is used courtesy of MESA International.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Final
from xml.etree.ElementTree import Element, SubElement, indent, tostring
from zoneinfo import ZoneInfo

from edge_agent.core import catalog
from edge_agent.core.catalog import Definition
from edge_agent.core.cell import COUNTS
from edge_agent.core.report import OPEN, Report
from edge_agent.encode.kpi_record import iso

NAMESPACE: Final = "http://www.mesa.org/xml/KPI-ML-V01"
FORMULA: Final = "Formula"
"""The ID of the Property whose Description is the formula."""

_XSI: Final = "http://www.w3.org/2001/XMLSchema-instance"
_TRENDS: Final = {"higher": "Higher-is-better", "lower": "Lower-is-better"}
_DIGITS: Final = 25      # of a number that no decimal fraction is: far more than a float keeps
_PIECES: Final = {*COUNTS, "psq", "epc"}


def kpi_ml(reports: Sequence[Report], made: int) -> bytes:
    """One document, UTF-8, of all KPIs of `reports`; `made`, ns UTC, is when."""
    root = Element("ShowKPIValue", {"xmlns": NAMESPACE, "xmlns:xsi": _XSI, "releaseID": "V01"})
    head = SubElement(root, "ApplicationArea")
    _text(SubElement(head, "Sender"), "ComponentID", "edge-agent")
    _text(head, "CreationDateTime", iso(made, ZoneInfo("UTC")))
    user = SubElement(head, "UserArea")
    told = list(dict.fromkeys((one, report.machine) for report in reports for one in _definitions(report)))
    user.extend(_definition(one) for one in dict.fromkeys(one for one, _ in told))
    user.extend(_instance(one, machine) for one, machine in told)
    data = SubElement(root, "DataArea")
    SubElement(data, "Show")
    data.extend(value for report in reports for value in _values(report))
    indent(root)
    written: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return written


def _definitions(report: Report) -> tuple[Definition, ...]:
    return catalog.ALL + (catalog.ORDER if report.window.kind == "job" else ())


def _definition(one: Definition) -> Element:
    found = Element("KPIDefinition")
    _text(found, "ID", one.name)
    if one.source:
        _text(found, "Description", f"as in {one.source}")
    _text(found, "Scope", "Work unit")
    _text(found, "Formula", one.formula)
    _text(found, "UnitOfMeasure", one.unit)
    if one.better:
        _text(found, "Trend", _TRENDS[one.better])
    _text(found, "Timing", "Periodically")
    _text(found, "Timing", "On-demand")
    _text(found, "ProductionMethodology", "Discrete")
    return found


def _instance(one: Definition, machine: str) -> Element:
    found = Element("KPIInstance")
    _text(found, "ID", _instance_id(one, machine))
    _text(found, "Formula", one.formula)
    _text(found, "UnitOfMeasure", one.unit)
    resource = SubElement(found, "ResourceReference")
    _text(resource, "ID", machine)
    _text(resource, "ResourceType", "Work unit")
    _text(resource, "ResourceID", machine)
    _text(found, "KPIDefinitionID", one.name)
    return found


def _instance_id(one: Definition, machine: str) -> str:
    return f"{machine}/{one.name}"


def _values(report: Report) -> Iterator[Element]:
    known = catalog.elements(report.cell) | (
        catalog.order_kpis_of(report.cell) if report.window.kind == "job" else {}
    )
    window, zone = report.window, ZoneInfo(report.window.zone)
    start = iso(window.start, zone)
    state = "final" if report.final else "provisional"
    remarks = "; ".join((f"{state} as of {iso(report.as_of, zone)}", f"revision {report.revision}", *report.flags))
    for one in _definitions(report):
        found = Element("KPIValue")
        _text(found, "ID", f"{_instance_id(one, report.machine)}/{window.kind}/{start}")
        _text(found, "Description", remarks)
        _text(found, "Name", window.name)
        stretch = SubElement(found, "TimeRange")
        _text(stretch, "StartTime", start)
        if window.end < OPEN:
            _text(stretch, "EndTime", iso(window.end, zone))
        if (value := known[one.name]) is not None:      # an undefined KPI has no Value
            _text(found, "Value", decimal(value))
        _text(found, "UnitOfMeasure", one.unit)
        _text(found, "KPIInstanceID", _instance_id(one, report.machine))
        found.append(_property(FORMULA, None, text=one.formula))
        found.extend(_property(name, known[name], unit=_unit(name)) for name in one.inputs)
        yield found


def _property(name: str, value: Fraction | None, *, text: str = "", unit: str = "") -> Element:
    found = Element("Property")
    _text(found, "ID", name)
    if text:
        _text(found, "Description", text)
    if value is None:
        SubElement(found, "Value", {"xsi:nil": "true"})
    else:
        _text(found, "Value", decimal(value), {"unitCode": unit})
    return found


def _unit(name: str) -> str:
    return "1" if name in _PIECES else "s"


def decimal(value: Fraction) -> str:
    """Exactly, if it is a decimal fraction, else to 25 digits; never with an exponent."""
    with localcontext() as context:
        context.prec = _DIGITS
        return f"{Decimal(value.numerator) / Decimal(value.denominator):f}"


def _text(parent: Element, name: str, text: str, attributes: dict[str, str] | None = None) -> None:
    SubElement(parent, name, attributes or {}).text = text

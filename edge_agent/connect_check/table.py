"""The rows as a person and as a program read them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from edge_agent.connect_check.row import DestinationRow, DeviceRow, TagRow, Verdict, verdicts
from edge_agent.core.phrase import shown, without_password
from edge_agent.core.quality import class_name, reason_name

# A column is no wider than this because of one long cell.
_WIDEST: Final = 48


def lines(devices: Sequence[DeviceRow], destinations: Sequence[DestinationRow]) -> Iterator[str]:
    """One line a row in columns, and one that counts them."""
    cells = [cell for device in devices for cell in _device(device)]
    cells += [(f"publish.{row.id}", row.verdict, *_connection(row, row.addresses)) for row in destinations]
    widths = [max((len(row[n]) for row in cells if len(row[n]) <= _WIDEST), default=0) for n in range(4)]
    for *columns, last in cells:
        yield "  ".join([cell.ljust(width) for cell, width in zip(columns, widths, strict=True)] + [last]).rstrip()
    yield "; ".join(_counted(devices, destinations))


def _device(row: DeviceRow) -> Iterator[tuple[str, ...]]:
    yield row.id, row.verdict, *_connection(row, row.addresses)
    for tag in row.tags:
        value = "" if tag.quality is None else shown(tag.value, tag.tag.unit)
        yield f"  {tag.tag.id}", tag.verdict, _line(value), _line(tag.address), _line("; ".join(tag.why))


def _connection(row: DeviceRow | DestinationRow, addresses: Sequence[str]) -> tuple[str, str, str]:
    took = "" if row.took_s is None else f"in {row.took_s:.1f} s"
    return took, _line(" or ".join(map(without_password, addresses))), _line(row.error)


def _line(text: str) -> str:
    return " ".join(text.split())


def _counted(devices: Sequence[DeviceRow], destinations: Sequence[DestinationRow]) -> Iterator[str]:
    tags = [tag for device in devices for tag in device.tags]
    for word, rows in (("device", devices), ("tag", tags), ("destination", destinations)):
        if rows:
            many = f"{len(rows)} {word}" if len(rows) == 1 else f"{len(rows)} {word}s"
            yield f"{many}: " + ", ".join(f"{number} {verdict}" for verdict, number in verdicts(rows).items())


def document(devices: Sequence[DeviceRow], destinations: Sequence[DestinationRow]) -> Mapping[str, Any]:
    """The same as plain values."""
    return {
        "devices": [
            {
                "id": row.id, "verdict": row.verdict, "driver": row.driver,
                "addresses": [without_password(url) for url in row.addresses], "connected_in_s": _rounded(row.took_s),
                "error": row.error or None, "tags": [_tag(tag) for tag in row.tags],
            }
            for row in devices
        ],
        "destinations": [
            {
                "id": row.id, "verdict": row.verdict, "type": row.type,
                "url": without_password(" or ".join(row.addresses)),
                "connected_in_s": _rounded(row.took_s), "error": row.error or None,
            }
            for row in destinations
        ],
    }  # fmt: skip


def _tag(row: TagRow) -> Mapping[str, Any]:
    quality = None if row.quality is None else class_name(row.quality)
    reason = "" if row.quality is None else reason_name(row.quality)
    return {
        "id": row.tag.id, "verdict": row.verdict, "address": row.address, "value": row.value,
        "unit": row.tag.unit or None, "quality": quality, "reason": reason or None, "why": row.why,
    }  # fmt: skip


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)


def all_fine(devices: Sequence[DeviceRow], destinations: Sequence[DestinationRow]) -> bool:
    """Whether there is nothing to be put right."""
    seen: list[Verdict] = [row.verdict for row in devices]
    seen += [tag.verdict for device in devices for tag in device.tags]
    seen += [row.verdict for row in destinations]
    return all(verdict.is_fine for verdict in seen)

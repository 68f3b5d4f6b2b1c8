"""How digital the plant is, from the evidence in the journal: what the reports `digital` and `sme` show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edge_agent.config import Site
from edge_agent.report.model import Head
from edge_agent.report.oee import head
from edge_agent.report.recall import folder_of, known_until, recall

Said = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PlantDocument:
    """The report; `said` is what `core.plant.summary` gives."""

    head: Head
    said: Said

    @property
    def assets(self) -> list[tuple[str, Said]]:
        """All equipment, what counts first, in the order of the register."""
        return sorted(self.said["devices"].items(), key=lambda one: not one[1]["entry"]["counted"])

    @property
    def proofs(self) -> list[tuple[str, Said]]:
        """The equipment that any answer of the questionnaire rests on."""
        sme = self.said["sme"]
        rests = [sme["q2"], sme["q3"], *sme["q4"]["links"].values(), *sme["scenes"].values()]
        named = {name for rest in rests for name in rest["evidence"]}
        return [(name, asset) for name, asset in self.said["devices"].items() if name in named]


def plant_document(site: Site, now: int) -> PlantDocument:
    """As of the last evidence in the journal: a running agent writes it every few minutes. Raises `NothingRecorded`."""
    folder = folder_of(site)
    known = recall(site, folder, known_until(folder))
    as_of = known.evidence_at or known.until
    return PlantDocument(head(site, known, now, as_of), known.engine.evidence.summary(as_of))


def status_of(entry: Said) -> str:
    """Why an entry is or is not counted: in-use, spare, scrapped, not_production."""
    return "not_production" if entry["status"] == "in-use" and not entry["is_production"] else str(entry["status"])


def titles(names: Sequence[str], devices: Said) -> list[str]:
    """What people call the equipment of these ids."""
    return [devices[name]["entry"]["title"] for name in names]

"""The asset register: every piece of equipment that counts in the plant's figures, connected or not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final

from edge_agent.core.asset_class import ALARM, CLASSES, ENERGY, GENERAL, AssetClass
from edge_agent.core.calendar import Calendar

STATUSES: Final = ("in-use", "spare", "scrapped")



@dataclass(frozen=True, slots=True, eq=False)
class Asset:
    """One entry of the register, and what the site file links to it.

    `told`: item (see `asset_class`) → positions of the tags that tell it, empty for what needs no tag;
    `machines`: those that draw their state and counts from it and have an ideal cycle and a calendar;
    `calendars`: when it is planned to be busy; `power`: position of a power tag and the value above which the
    machine is running. `is_entry` is False for a device that stands for itself, as no register is kept.
    """

    id: str
    name: str = ""
    kind: str = GENERAL
    type: str = ""
    location: str = ""
    identifier: str = ""
    scheme: str = ""
    is_production: bool = True
    status: str = STATUSES[0]
    key_operation: str = ""
    automatic: bool = False
    value: Fraction | None = None
    declared: frozenset[str] = frozenset()
    semantic_model: str = ""
    data_grade: int | None = None
    companion: str = ""                     # companion specification by which a linked machine is read
    machine: str = ""
    devices: tuple[str, ...] = ()
    told: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    machines: tuple[str, ...] = ()
    calendars: tuple[Calendar, ...] = ()
    power: tuple[int, float] | None = None
    is_entry: bool = True

    @property
    def unit(self) -> str:
        """The id of its unit in the evidence; devices are units of their own."""
        return f"assets/{self.id}" if self.is_entry else self.id

    @property
    def cls(self) -> AssetClass:
        """Its class."""
        return CLASSES[self.kind]

    @property
    def counts(self) -> bool:
        """Whether it is in the denominators: production equipment, neither spare nor scrapped."""
        return self.is_production and self.status == STATUSES[0]

    @property
    def is_linked(self) -> bool:
        """Whether anything the agent reads belongs to it."""
        return bool(self.devices)

    @property
    def gaps(self) -> list[str]:
        """What L0 asks of an entry and this one does not say."""
        return [name for name in ("identifier", "type", "location") if not getattr(self, name)]

    @property
    def is_metered(self) -> bool:
        """Whether its energy is metered: a badge beside the level."""
        return ENERGY in self.told

    @property
    def has_alarms(self) -> bool:
        """Whether its alarms are told."""
        return ALARM in self.told

"""`machines.<id>.state`: what tells a machine's state, one way or several, the better first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import Field, ValidationInfo, field_validator

from edge_agent.api import Duration, StrictModel
from edge_agent.config.finding import Finding, report
from edge_agent.config.names import TagRef
from edge_agent.config.signals import PaceModel, PowerModel, StacklightModel
from edge_agent.config.state_names import StateEntry, StateName, by_code_and_text, keys_fit
from edge_agent.config.state_roles import (
    EuromapStateModel,
    MachineryStateModel,
    MachinetoolStateModel,
    MtconnectStateModel,
    PackmlStateModel,
    RolesModel,
)
from edge_agent.core.judges import Judge, RolesJudge
from edge_agent.core.models import MapModel
from edge_agent.core.models import StateModel as CoreModel
from edge_agent.core.models.codes import CODES, CodesModel
from edge_agent.core.sources import Rank, SourceSpec
from edge_agent.core.tags import Tag

T = TypeVar("T")
FORMS: Final = ("packml", "machinery", "machinetool")
"""The companion specifications of which a machine may name an instance."""

_ROLES: Final = (*FORMS, "mtconnect", "euromap")
_SIGNALS: Final = ("stacklight", "power", "pace")
_WAYS: Final = (*_ROLES, *_SIGNALS)
_RANKS: Final = {"native": Rank.NATIVE, "di": Rank.DI, "power": Rank.POWER, "inferred": Rank.INFERRED}
# Three ideal cycles without a new one are no slow cycle any more (domain 3.5).
_WAIT_CYCLES: Final = 3

CodesName = Literal[
    "packml-opc-30050", "packml-opc-30060", "opc-40001-1", "opc-40501-1", "opc-40502", "mtconnect", "umh",
    "weihenstephan", "focas",
]  # fmt: skip


def _ways(more: str = "") -> Callable[[dict[str, Any]], None]:
    """One of the ways to tell a state, in the JSON schema."""

    def add(schema: dict[str, Any]) -> None:
        named = {"required": ["tag"], "anyOf": [{"required": ["map"]}, {"required": ["codes"]}]}
        schema["oneOf"] = [named, *({"required": [way]} for way in (*_WAYS, *([more] if more else [])))]

    return add


class WayModel(StrictModel):
    """One way to tell a state: a tag and what its values mean, tags of a specification, lamps, or power."""

    tag: TagRef | None = None
    """device.tag"""
    map: Annotated[Mapping[str, StateEntry], Field(min_length=1)] | None = None
    """value of the tag, a whole number or a text → OFF, IDLE, SETUP, RUN, FAULT, MAINT or UNKNOWN, and a reason if \
you like: `IDLE STARVED`"""
    codes: CodesName | None = None
    """instead of map, or beside it for codes of your own: the dictionary whose codes the tag has"""
    packml: PackmlStateModel | None = None
    """instead of tag and map: PackML"""
    machinery: MachineryStateModel | None = None
    """instead of tag and map: OPC UA for Machinery, OPC 40001-1"""
    machinetool: MachinetoolStateModel | None = None
    """instead of tag and map: machine tools, OPC 40501-1 and OPC 40502"""
    mtconnect: MtconnectStateModel | None = None
    """instead of tag and map: MTConnect"""
    euromap: EuromapStateModel | None = None
    """instead of tag and map: injection moulding, Euromap 77 and 83"""
    stacklight: StacklightModel | None = None
    """instead of tag and map: the lamps of a stack light"""
    power: PowerModel | None = None
    """instead of tag and map: the power it draws"""
    pace: PaceModel | None = None
    """instead of tag and map: the strokes it makes"""
    dwell: Duration = 0
    """a new state counts once it has lasted this long, then from its start; 0s takes every change"""
    default: StateName | None = None
    """state for values that `map` and `codes` do not name; without it they are UNKNOWN"""

    @field_validator("map")
    @classmethod
    def _codes_fit_the_tag(cls, keys: Mapping[str, T] | None, info: ValidationInfo) -> Mapping[str, T] | None:
        keys_fit(keys or (), info)
        return keys

    @property
    def form(self) -> str:
        """Which of the ways with several tags it is; "" for a tag with a map or codes."""
        return next((way for way in _WAYS if getattr(self, way) is not None), "")

    @property
    def roles(self) -> RolesModel | None:
        """The inputs of a specification, if it is that."""
        return getattr(self, self.form) if self.form in _ROLES else None

    @property
    def signal(self) -> StacklightModel | PowerModel | PaceModel | None:
        """Lamps, power or strokes, if it is that."""
        return self.stacklight or self.power or self.pace

    def inputs(self) -> dict[str, str]:
        """Role → `device.tag` of all that tells the state; the one tag with a map has the role "state"."""
        way = self.roles or self.signal
        return way.inputs() if way else {"state": self.tag or ""}

    def core(self) -> CoreModel | None:
        """The state model, of a way that has one of its own; not for a map, lamps and power."""
        if self.roles is not None:
            return self.roles.core()
        return None if self.codes is None else CodesModel(self.codes, MapModel(self.states(), self.default))

    def states(self) -> dict[int | str, Any]:
        """The map by text and, where a key is a whole number, by that number too."""
        return by_code_and_text(self.map or {})

    def judge(self, wait_ns: int) -> Judge:
        """What judges it where it is one of several, or matters how long something lasts."""
        if self.signal is not None:
            return self.signal.judge()
        model = self.core() or MapModel(self.states(), self.default)
        watches = self.roles.watches(wait_ns) if self.roles else {}
        return RolesJudge(model, tuple(self.inputs()), watches, dwell_ns=self.dwell)

    def source(self, rank: Rank, wait_ns: int, tag: Callable[[str], Tag]) -> SourceSpec:
        """As the core has it; `tag` finds the tag of a reference."""
        inputs = {role: tag(reference) for role, reference in self.inputs().items()}
        return SourceSpec(rank, self.judge(wait_ns), inputs, frozenset(inputs if self.power else ()))

    def rules(self) -> list[Any]:
        """All but the tags that moves the state, JSON-safe."""
        if self.signal is not None:
            return [self.form, *self.signal.rules()]
        if self.roles is not None:
            return [self.form, self.roles.rules(), self.dwell]
        named = sorted([key, _name(state)] for key, state in (self.map or {}).items())
        return [named, _name(self.default), self.dwell, *([self.codes] if self.codes else [])]


def _one_way(data: Mapping[str, Any], also: tuple[str, ...] = ()) -> None:
    """Report a section that tells no state, or in two ways. What is not in the data was given, and is wrong itself."""
    keys = ("tag", "map", "codes", *_WAYS, *also, "default")
    given = [key for key in keys if data.get(key, ...) not in (None, ())]
    given += ["dwell"] if data.get("dwell") else []
    ways = [key for key in given if key in (*_WAYS, *also)]
    way = ways[0] if ways else ""
    others = [key for key in given if key != way and not (key == "dwell" and way in _ROLES)]
    if way and others:
        hint = "remove one of the two"
        if others == ["dwell"]:
            hint = f"write it below {way}" if way in _SIGNALS else "each source has its own"
        report([Finding(f"and {' and '.join(others)}: exclude each other", hint, ("..", way))])
    elif not way and not set(given) - {"default", "dwell"}:
        hint = f"or one of {', '.join((*_WAYS, *also))}"
        report([Finding("needs a tag and a map", hint, ("..",), is_missing=True)])
    elif not way:
        lacking = [] if "tag" in given else ["tag"]
        lacking += [] if {"map", "codes"} & set(given) else ["map"]
        hint = f"or codes: {', '.join(CODES)}" if lacking == ["map"] else ""
        report([Finding("is missing", hint, ("..", key), is_missing=True) for key in lacking])


class SourceModel(WayModel, json_schema_extra=_ways()):
    """One of several sources of a machine's state."""

    kind: Literal["native", "di", "power", "inferred"] | None = Field(default=None, validate_default=True)
    """how good it is: native (what the machine says itself) before di (contacts, lamps) before power before inferred; \
default di for a stack light, power for power, inferred for pace, else native"""

    # On the last field, so that it runs even while another part of the section is wrong.
    @field_validator("kind")
    @classmethod
    def _is_one_way(cls, kind: str | None, info: ValidationInfo) -> str | None:
        _one_way(info.data)
        return kind

    @property
    def rank(self) -> Rank:
        """How good it is."""
        return _RANKS[self.kind or {"stacklight": "di", "power": "power", "pace": "inferred"}.get(self.form, "native")]


class StateModel(WayModel, json_schema_extra=_ways("sources")):
    """What tells the machine's state: a tag and what its values mean, one of the other ways, or several of them."""

    sources: tuple[SourceModel, ...] = Field(default=(), validate_default=True)
    """instead of all the others: several ways; of those that know the state the best counts, of equals the first"""

    @field_validator("sources")
    @classmethod
    def _is_one_way(cls, sources: tuple[SourceModel, ...], info: ValidationInfo) -> tuple[SourceModel, ...]:
        _one_way({**info.data, "sources": sources}, ("sources",))
        return sources

    @property
    def paced(self) -> bool:
        """Whether a state may come from strokes."""
        return any(way.pace is not None for way in (self, *self.sources))

    def inputs(self) -> dict[str, str]:
        """Of several sources the roles are numbered: `0.red`, `1.power`."""
        if not self.sources:
            return super().inputs()
        return {f"{n}.{role}": tag for n, way in enumerate(self.sources) for role, tag in way.inputs().items()}

    def rules(self) -> list[Any]:
        """All but the tags that moves the state, JSON-safe."""
        if not self.sources:
            return super().rules()
        return ["sources", *([int(way.rank), *way.rules()] for way in self.sources)]

    def to_core(self, tag: Callable[[str], Tag], slowest: Fraction, micro_stop_ns: int) -> dict[str, Any]:
        """The fields of a `MachineSpec` that tell its state. `slowest`: its longest ideal cycle, s."""
        wait = max(round(_WAIT_CYCLES * slowest * 1_000_000_000), micro_stop_ns)
        if self.sources:
            return {"state": None, "states": {}, "sources": [w.source(w.rank, wait, tag) for w in self.sources]}
        if self.signal or (self.roles and self.roles.watches(wait)):
            rank = {"stacklight": Rank.DI, "power": Rank.POWER, "pace": Rank.INFERRED}.get(self.form, Rank.NATIVE)
            return {"state": None, "states": {}, "sources": [self.source(rank, wait, tag)]}
        return {
            "state": None if self.tag is None else tag(self.tag),
            "states": self.states(),
            "otherwise": self.default,
            "dwell_ns": self.dwell,
            "model": self.core(),
            "inputs": {role: tag(reference) for role, reference in self.inputs().items()} if self.roles else {},
        }


def _name(value: Any) -> str:
    if isinstance(value, tuple):
        return " ".join(map(_name, value))
    return str(getattr(value, "name", value))

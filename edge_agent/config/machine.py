"""`machines:`: where a machine's state and counts come from, and by which rules they are judged."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from fractions import Fraction
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator

from edge_agent.api import Duration, StrictModel
from edge_agent.config.alarms import MachineAlarms
from edge_agent.config.calendar import PlannedDownModel
from edge_agent.config.characteristic import CharacteristicModel
from edge_agent.config.counts import CountsModel
from edge_agent.config.energy import EnergyModel, MeterModel
from edge_agent.config.finding import Finding, did_you_mean, report
from edge_agent.config.names import CalendarRefs, Id, NumberTagRef, TagRef, names_of
from edge_agent.config.operator import OperatorModel
from edge_agent.config.positive import IdealCycle, PositiveDuration, Rate, Share
from edge_agent.config.state import FORMS, StateModel
from edge_agent.config.state_names import by_code_and_text, keys_fit
from edge_agent.config.wall_words import LocalSince
from edge_agent.core.cell import NO_IDEAL
from edge_agent.core.ledger import Policy
from edge_agent.core.quantity import SECOND
from edge_agent.core.states import MachineState

T = TypeVar("T")

# A counter may run this many times faster than the fastest ideal cycle before it is not believed:
# room for cavities that are counted at once and for a poll that comes late.
_RATE_ROOM: Final = 5
_RATE_LEAST: Final = 10.0       # pieces/s; slow machines also count in bunches

# A counter that dies is found within the hour, one that counts in bunches is left in peace.
_PATIENCE_CYCLES: Final = 20
_PATIENCE_LEAST: Final = 600_000_000_000


class CounterModel(StrictModel):
    """What is plausible for the counters, and where they wrap (domain 2.5)."""

    bits: Literal[16, 32, 64] | None = None
    """width at which a counter wraps to 0; default the width of its tag's type, else 32"""
    max_rate: float | None = Field(default=None, gt=0)
    """most pieces per second; default five times the fastest ideal cycle, at least 10"""
    jitter: int = Field(default=2, ge=0)
    """a counter may step back by this many pieces without having been reset"""


class ProductModel(StrictModel):
    """What a product asks of the machine."""

    ideal_cycle: IdealCycle
    """shortest time per piece the machine can do, such as 1.2s; every digit counts"""
    ideal_cycle_from: Mapping[LocalSince, IdealCycle] = Field(default_factory=dict)
    """date, or local date and time, → ideal cycle from then on; before the first `ideal_cycle` holds"""
    units_per_count: int | None = Field(default=None, ge=1, le=100_000)
    """pieces of one stroke, such as the cavities of its mould; default as the machine says"""
    planned_scrap: Share = NO_IDEAL
    """share of the pieces that is planned to be scrap, such as 0.02; default none"""


class JobModel(StrictModel):
    """The tag that tells what is being made."""

    tag: TagRef
    """device.tag with the product's name or number"""
    products: Mapping[str, ProductModel] = Field(min_length=1)
    """value of the tag → product"""

    @field_validator("products")
    @classmethod
    def _codes_fit_the_tag(cls, keys: Mapping[str, T], info: ValidationInfo) -> Mapping[str, T]:
        keys_fit(keys, info)
        return keys


class OrderModel(StrictModel):
    """What tells whether an order is active (without a tag, one always is), and which."""

    tag: NumberTagRef | None = None
    """device.tag, true or not 0 while an order is active"""
    number: TagRef | None = Field(default=None, validate_default=True)
    """device.tag with the order's number or name: each is a window of kind job"""

    @field_validator("number")
    @classmethod
    def _tells_something(cls, number: str | None, info: ValidationInfo) -> str | None:
        if number is None and info.data.get("tag", "") is None:
            report([Finding("needs a tag", "write tag: (whether an order is active), number:, or both", ("..",))])
        return number


def _check_device(text: str, info: ValidationInfo) -> str:
    names = names_of(info)
    if names is not None:
        names.check_device(text)
    return text


class InstanceModel(StrictModel):
    """An instance of a companion specification on an OPC UA server; its tags need not be listed."""

    device: Annotated[str, AfterValidator(_check_device)]
    """id of the OPC UA device that has it"""
    node: str = Field(min_length=1)
    """the instance: node id, or browse path such as /Objects/2:Filler1"""


def _one_source(schema: dict[str, Any]) -> None:
    """Where the state comes from, and which of them brings its counts along."""
    schema["required"] = [key for key in schema["required"] if key not in ("state", "counts")]
    ways = [["packml"], *([key, "counts"] for key in ("state", "machinery", "machinetool"))]
    schema["oneOf"] = [{"required": way} for way in ways]


class MachineModel(StrictModel, json_schema_extra=_one_source):
    """A machine: what gets an OEE. It may draw tags from several devices."""

    line: Id | None = None
    """ISA-95 line, an id"""
    state: StateModel
    """machine state; or one of the three below"""
    packml: InstanceModel | None = None
    """instead of state and, unless they are given, counts: a PackML unit, OPC 30050"""
    machinery: InstanceModel | None = None
    """instead of state: a machine with the building blocks of OPC 40001-1"""
    machinetool: InstanceModel | None = None
    """instead of state: a machine tool, OPC 40501-1"""
    counts: CountsModel
    """piece counters"""
    counter: CounterModel = CounterModel()
    """plausibility of the counters"""
    units_per_count: int = Field(default=1, ge=1, le=100_000)
    """pieces of one stroke, where `total` and `good` count strokes; a product may have its own"""
    job: JobModel | None = None
    """product being made, with an ideal cycle each; or `ideal_cycle`"""
    estimate_cycle: bool = False
    """where nobody gives an ideal cycle, take the 5th percentile of 200 cycles for it, flagged PRU_ESTIMATED"""
    ideal_cycle: IdealCycle | None = Field(default=None, validate_default=True)
    """shortest time per piece, for a machine that always makes the same; or `job`"""
    ideal_cycle_from: Mapping[LocalSince, IdealCycle] = Field(default_factory=dict)
    """date, or local date and time, → ideal cycle from then on; before the first `ideal_cycle` holds"""
    order: OrderModel | None = None
    """whether an order is active, and which"""
    operator: OperatorModel | None = None
    """what people may say of its states, beside what it tells itself; without it nothing"""
    alarms: MachineAlarms | None = None
    """whose alarms are the machine's: a device, or {device: cnc-7, source: "Spindle*"}"""
    energy: EnergyModel | None = None
    """its energy meters"""
    characteristics: Mapping[Id, CharacteristicModel] = Field(default_factory=dict)
    """id → what is measured of its pieces, with limits"""
    calendar: CalendarRefs | None = None
    """a key of `calendars`, or a list of which the first that holds on a date counts; default that of the agent"""
    planned_down: tuple[PlannedDownModel, ...] = ()
    """single stretches of planned downtime of this machine; they win over the calendar's"""
    micro_stop: Duration = 300_000_000_000
    """a stop up to this long is a micro-stop; default 5min"""
    startup_window: Duration = 300_000_000_000
    """rejects so long after a setup are start-up rejects, one of the six big losses; default 5min"""
    capacity: Rate | None = None
    """pieces an hour the machine is rated for; with it there is an equipment load ratio"""
    unknown: Literal["bridge", "exclude", "down", "hold"] | None = None
    """what a time without data is: bridge | exclude | down | hold (domain 2.6); default bridge, and exclude where
    the agent itself counts the pieces"""
    hold_max: PositiveDuration = 60_000_000_000
    """with `unknown: hold`: how long the last state is held; default 1min"""
    outside_plan: Literal["promote", "exclude"] = "promote"
    """running outside the plan: promote (counts as busy) | exclude (neither time nor pieces count)"""
    no_order_is_planned_stop: bool = False
    """true: standing still without an order is a planned stop; false, as in ISO 22400-2: an availability loss"""
    patience: PositiveDuration | None = None
    """so long it may run without a piece before it is flagged; default 20 slowest ideal cycles, at least 10min"""

    @field_validator("ideal_cycle")
    @classmethod
    def _is_the_only_ideal(cls, ideal: Fraction | None, info: ValidationInfo) -> Fraction | None:
        if "job" not in info.data:
            return ideal
        if info.data["job"] is None and ideal is None and not info.data.get("estimate_cycle"):
            hint = "write ideal_cycle: 1.2s, or job: with a tag and products"
            report([Finding("has no ideal cycle, so it can have no OEE", hint, ("..",))])
        counts, state = info.data.get("counts"), info.data.get("state")
        if counts is not None and counts.runs and state is not None and state.paced:
            hint = "the pieces would follow from the state, and the state from the pieces"
            report([Finding("is runs beside a state from strokes", hint, ("..", "counts", "total"))])
        if counts is not None and counts.runs and info.data["job"] is None and ideal is None:
            hint = "pieces are inferred from it; write ideal_cycle: 1.2s"
            report([Finding("has no ideal cycle, but total: runs", hint, ("..",))])
        if info.data["job"] is not None and ideal is not None:
            report([Finding("and job: exclude each other", "remove one of the two")])
        return ideal

    @model_validator(mode="after")
    def _counters_may_run_as_fast_as_the_machine(self) -> MachineModel:
        """Else pieces made at ideal speed would not be believed."""
        rate, ideals = self.counter.max_rate, self.all_ideals()
        if rate is not None and ideals:
            fastest, ideal = min(ideals, key=lambda one: one[1])
            needed = 1 / ideal
            if rate < needed:
                of = f" of {fastest}" if fastest else ""
                hint = f"its ideal cycle{of} needs {float(needed):.6g} pieces per second; allow more, or leave it out"
                report([Finding("is slower than the machine", hint, ("counter", "max_rate"))])
        return self

    @model_validator(mode="after")
    def _some_value_means_that_it_runs(self) -> MachineModel:
        named = {entry[0] if isinstance(entry, tuple) else entry for entry in (self.state.map or {}).values()}
        if named and self.state.codes is None and MachineState.RUN not in {*named, self.state.default}:
            hint = "write which value means that it produces: {1: RUN}"
            report([Finding("names no RUN: the machine would never run", hint, ("state", "map"))])
        return self

    @model_validator(mode="after")
    def _later_cycles_stand_beside_the_first(self) -> MachineModel:
        if self.ideal_cycle_from and self.ideal_cycle is None:
            hint = "write it beside the ideal_cycle of each product"
            report([Finding("stands beside no ideal_cycle", hint, ("ideal_cycle_from",))])
        return self

    @model_validator(mode="after")
    def _without_orders_none_is_missing(self) -> MachineModel:
        if self.no_order_is_planned_stop and self.order is None:
            hint = "write order: {tag: …}, which tells whether one is active"
            report([Finding("does nothing without order", hint, ("no_order_is_planned_stop",))])
        return self

    @field_validator("characteristics")
    @classmethod
    def _are_of_its_products(
        cls, given: Mapping[str, CharacteristicModel], info: ValidationInfo
    ) -> Mapping[str, CharacteristicModel]:
        job = info.data.get("job")
        known = list(job.products) if job is not None else []
        wrong = [name for name, one in given.items() if one.product is not None and one.product not in known]
        if "job" in info.data:
            report([
                Finding("names no product", did_you_mean(given[name].product or "", known, "products"),
                        (name, "product")) for name in wrong
            ])  # fmt: skip
        return given

    def tags(self) -> list[str]:
        """`device.tag` of every tag the machine draws from."""
        others = [meter.tag for meter in self.meters().values()]
        others += [tag for one in self.characteristics.values() for tag in (one.tag, one.trigger) if tag is not None]
        return [*self.counts.tags().values(), *self.state.inputs().values(), *self.work_tags().values(), *others]

    def work_tags(self) -> dict[str, str]:
        """job (what is made), order (whether there is one), number (which) → `device.tag`, of those given."""
        job, order = self.job, self.order or OrderModel.model_construct()
        named = {"job": None if job is None else job.tag, "order": order.tag, "number": order.number}
        return {what: tag for what, tag in named.items() if tag is not None}

    @property
    def instance(self) -> InstanceModel | None:
        """The instance its state comes from, if the site file names one; `state` then has the tags added for it."""
        return next((one for form in FORMS if (one := getattr(self, form)) is not None), None)

    def meters(self) -> dict[str, MeterModel]:
        """Its energy meters by name."""
        return {} if self.energy is None else self.energy.meters()

    def policy(self) -> Policy:
        """The rules of the ledger."""
        return Policy(
            micro_stop_ns=self.micro_stop,
            unknown=self.unknown or ("exclude" if self.counts.are_ours else "bridge"),
            outside_plan=self.outside_plan,
            hold_max_ns=self.hold_max,
            no_order_planned=self.no_order_is_planned_stop,
            inferred=self.counts.runs,
            unsorted=self.counts.are_unsorted,
            estimates=self.estimate_cycle,
            startup_ns=self.startup_window,
            capacity=self.capacity,
        )

    def ideals(self) -> dict[str, Fraction]:
        """Product → (first) ideal cycle, exact seconds; the product of a machine without a job tag is ""."""
        if self.job is None:
            return {} if self.ideal_cycle is None else {"": self.ideal_cycle}
        return {name: product.ideal_cycle for name, product in self.job.products.items()}

    def versions(self) -> dict[str, dict[datetime, Fraction]]:
        """Product → local time → ideal cycle from then on, of the products that have later ones."""
        if self.job is None:
            return {"": dict(self.ideal_cycle_from)} if self.ideal_cycle_from else {}
        return {
            name: dict(product.ideal_cycle_from)
            for name, product in self.job.products.items()
            if product.ideal_cycle_from
        }

    def all_ideals(self) -> list[tuple[str, Fraction]]:
        """Product and ideal cycle, of every product at every time."""
        later = [(name, ideal) for name, many in self.versions().items() for ideal in many.values()]
        return [*self.ideals().items(), *later]

    def planned_scrap(self) -> dict[str, Fraction]:
        """Product → share of the pieces that is planned to be scrap, of those that have one."""
        products = self.job.products if self.job else {}
        return {name: product.planned_scrap for name, product in products.items() if product.planned_scrap}

    def products(self) -> dict[int | str, Fraction]:
        """Ideal cycles of the job's products by text and, where it is a whole number, by number."""
        return by_code_and_text(self.ideals()) if self.job else {}

    def patience_ns(self) -> int:
        """So long the machine may run without a piece, ns."""
        if self.patience is not None:
            return self.patience
        return max([_PATIENCE_LEAST, *(int(_PATIENCE_CYCLES * ideal * SECOND) for _, ideal in self.all_ideals())])

    def units_of(self) -> dict[str, int]:
        """Product → pieces of a stroke, of those that have their own."""
        products = {} if self.job is None else self.job.products
        return {name: one.units_per_count for name, one in products.items() if one.units_per_count is not None}

    def max_rate(self) -> float:
        """Most plausible pieces per second of its counters."""
        if self.counter.max_rate is not None:
            return self.counter.max_rate
        return max([_RATE_LEAST, *(float(_RATE_ROOM / ideal) for _, ideal in self.all_ideals())])

"""The truth for outsiders, and faults by their order: a line of JSON each way, on this machine only.

    {"machine": "press-1", "start": ns, "end": ns}      → the vector and KPIs of [start, end)
        "micro_stop": ns   threshold for the classic ratios (default 0)
        "as_of": ns        judge open stops with what was known then (default: end)
    {"machines": true}                                  → {"machines": [...], "start": ns}
    {"now": true}                                       → {"now": ns}
    {"jobs": "press-1", "start": ns, "end": ns}         → {"jobs": [[from, until, product], …]}
    {"states": "press-1", "start": ns, "end": ns}       → {"states": [[from, until, state, reason], …]}
    {"fault": {"machine": "press-1", "kind": "restart", "for": "5s"}}   → {"at": ns, "until": ns, "machines": […]}
    {"clear": "press-1"}, {"clear": true}               → {"at": ns, "machines": […]}
    {"faults": true}                                    → {"faults": [{"kind", "at", "until", …}, …]}

Times are simulated ns UTC. `end` and `as_of` are cut to the simulated now, and everything that has
happened up to then is in the answer; `end` in the answer says which instant that was. A wrong
question gets {"error": "..."} and the connection stays open.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from edge_agent_hil.control import Control, Order, only
from edge_agent_hil.equipment_control import EquipmentControl
from edge_agent_hil.plant import Plant

KEYS: Final = ("start", "end", "micro_stop", "as_of")
QUESTIONS: Final = ("machine", "machines", "now", "jobs", "states", "fault", "clear", "faults")
Answer = dict[str, Any]


class TruthService:
    """Answers questions about one plant, and gives it faults."""

    def __init__(self, plant: Plant, equipment: EquipmentControl) -> None:
        self._plant, self._equipment = plant, equipment
        self._control = Control(QUESTIONS, self.answer)
        self._orders: Mapping[str, Callable[[Any], Awaitable[Answer]]] = {
            "fault": equipment.begin,
            "clear": equipment.clear,
        }

    async def start(self) -> int:
        """Serve; the port."""
        return await self._control.start()

    async def close(self) -> None:
        """Stop serving and let go of whoever is connected."""
        await self._control.close()

    async def answer(self, question: Order) -> Answer:
        """The answer to one question; ValueError says what is wrong with it."""
        for name, carry_out in self._orders.items():
            if name in question:
                only(question, [name])
                return await carry_out(question[name])
        return self._told(question)

    def _told(self, question: Mapping[str, Any]) -> Answer:
        if question == {"now": True}:
            return {"now": self._plant.advance()}
        if question == {"machines": True}:
            return {"machines": list(self._plant.machines), "start": self._plant.start}
        if question == {"faults": True}:
            return {"faults": self._equipment.log()}
        for name, tell in (("jobs", self._jobs), ("states", self._states), ("machine", self._vector)):
            if name in question:
                only(question, (name, *KEYS))
                return tell(self._name(question[name]), self._window(question))
        raise ValueError(f"no question; one has one of {', '.join(QUESTIONS)}")

    def _name(self, name: object) -> str:
        if name not in self._plant.machines:
            raise ValueError(f"no machine {name!r}; there are {', '.join(self._plant.machines)}")
        return str(name)

    def _window(self, question: Mapping[str, Any]) -> dict[str, int]:
        """What was asked for, cut to the now."""
        for key in KEYS:
            value = question.get(key, 0)
            if not isinstance(value, int) or isinstance(value, bool):
                raise ValueError(f"{key}: {value!r} is no integer of ns")  # noqa: TRY004 (told to who asks)
        now = self._plant.advance()
        end = min(now, question.get("end", now))
        return {
            "now": now,
            "start": question.get("start", self._plant.start),
            "end": end,
            "micro_stop": question.get("micro_stop", 0),
            "as_of": min(now, question.get("as_of", end)),
        }

    def _vector(self, name: str, asked: Mapping[str, int]) -> Answer:
        truth = self._plant.truths[name]
        vector = truth.vector(asked["start"], asked["end"], asked["micro_stop"], asked["as_of"])
        return {"machine": name, "now": asked["now"], **vector.to_json()}

    def _jobs(self, name: str, asked: Mapping[str, int]) -> Answer:
        return {"machine": name, "jobs": self._plant.truths[name].jobs(asked["start"], asked["end"])}

    def _states(self, name: str, asked: Mapping[str, int]) -> Answer:
        return {"machine": name, "states": self._plant.truths[name].states(asked["start"], asked["end"])}


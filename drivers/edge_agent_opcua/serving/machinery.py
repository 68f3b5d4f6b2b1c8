"""A machine's state in the words of OPC 40001-1 (Machinery building blocks): data only.

The inverse of the mapping by which states of such machines are read: reading what is shown here gives the
state it was made of. Where several words would do, the one that claims least is taken: a machine that is
being set up, idle or under maintenance is not said to execute.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MACHINERY: Final = "http://opcfoundation.org/UA/Machinery/"
MACHINES: Final = 1001      # there: the folder Machines
METADATA: Final = 5001      # and what the server says of the namespace

STATES: Final = ("UNKNOWN", "OFF", "IDLE", "SETUP", "RUN", "FAULT", "MAINT")
"""The agent's own states by their number"""


@dataclass(frozen=True, slots=True)
class Word:
    """One state of a state machine: its number, its name, its object in the type and that object's StateNumber
    (numeric identifiers in the namespace of the specification)."""

    number: int
    name: str
    node: int
    number_node: int


@dataclass(frozen=True, slots=True)
class StateMachine:
    """A building block: the instance's browse name, its type, the type's DefaultInstanceBrowseName, its states."""

    instance: str
    type_name: str
    type_node: int
    default_name_node: int
    words: tuple[Word, ...]

    def word(self, name: str) -> Word:
        """The state of that name."""
        return next(word for word in self.words if word.name == name)


ITEM_STATE: Final = StateMachine(
    "MachineryItemState", "MachineryItemState_StateMachineType", 1002, 6021,
    (
        Word(0, "NotAvailable", 5005, 6039),
        Word(1, "OutOfService", 5004, 6038),
        Word(2, "NotExecuting", 5007, 6041),
        Word(3, "Executing", 5006, 6040),
    ),
)  # fmt: skip
OPERATION_MODE: Final = StateMachine(
    "MachineryOperationMode", "MachineryOperationModeStateMachineType", 1008, 6058,
    (
        Word(0, "None", 5024, 6059),
        Word(1, "Maintenance", 5025, 6060),
        Word(2, "Setup", 5027, 6062),
        Word(3, "Processing", 5026, 6061),
    ),
)  # fmt: skip
STATE_MACHINES: Final = (ITEM_STATE, OPERATION_MODE)

_SAID: Final = {
    "OFF": ("NotAvailable", "None"),
    "IDLE": ("NotExecuting", "Processing"),
    "SETUP": ("NotExecuting", "Setup"),
    "RUN": ("Executing", "Processing"),
    "FAULT": ("OutOfService", "Processing"),
    "MAINT": ("OutOfService", "Maintenance"),
}


def words_of(state: int) -> tuple[Word, Word] | None:
    """Item state and operation mode of the agent's state of this number; None for UNKNOWN, of which there is
    nothing to say."""
    said = _SAID.get(STATES[state]) if 0 <= state < len(STATES) else None
    return None if said is None else (ITEM_STATE.word(said[0]), OPERATION_MODE.word(said[1]))

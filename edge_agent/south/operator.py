"""What people say of machines: each statement is judged, audited, made a fact, and durable before it is answered.

Unlike a command it goes to no equipment. It counts at once, also for the past, and is kept like any other fact.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from edge_agent.api import Clock, Refused
from edge_agent.config.operator import OperatorModel
from edge_agent.core.command import Command, Outcome, Through
from edge_agent.core.engine import Engine
from edge_agent.core.machine import Machine
from edge_agent.core.overrides import MOST, Entry, Ns
from edge_agent.core.quantity import SECOND
from edge_agent.core.states import MachineState
from edge_agent.core.wall import to_ns, wall_to_ns
from edge_agent.core.writing import shown
from edge_agent.health import Count, Health
from edge_agent.journal.disk import Disk
from edge_agent.south.witness import Witness

KEYS: Final = ("from", "until", "state", "reason", "clear", "who")
KEY_FILE: Final = "operator.key"
# Clocks of terminals differ by seconds; what is said of the future is a plan, and that is the calendar's.
AHEAD_NS: Final = 5 * SECOND
# Longer repairs are said without an end.
LONGEST_AHEAD_NS: Final = 7 * 86_400 * SECOND
LONGEST_TEXT: Final = 64
_MS: Final = 1_000_000
_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Operators:
    """Takes statements about the machines that allow it (`allowed`: machine → its section).

    `keep`: makes durable what the machines have found. `key`: of the pseudonyms, see `pseudonym_key`.
    """

    def __init__(
        self,
        engine: Engine,
        allowed: Mapping[str, OperatorModel],
        key: bytes,
        zone: ZoneInfo,
        witness: Witness,
        keep: Callable[[], Awaitable[None]],
        health: Health,
        clock: Clock,
    ) -> None:
        self._engine = engine
        self._allowed = allowed
        self._key = key
        self._zone = zone
        self._witness = witness
        self._keep = keep
        self._health = health
        self._clock = clock

    def work_for(self, engine: Engine) -> None:
        """From now on the machines are those of this engine, also for what is being judged."""
        self._engine = engine

    async def take(self, id: str, machine: str, said: Mapping[str, Any], through: Through, who: str) -> Outcome:
        """One statement; never raises for anything that can be wrong with it. The same id again changes nothing."""
        command = Command(id, machine, "state", _told(said), through, who)
        try:
            entry = self._judged(id, machine, said, through, who)
        except Refused as refusal:
            self._health.add(Count.COMMANDS_REFUSED)
            await self._witness.refused(command, str(refusal))
            return Outcome(False, str(refusal))
        if self._engine.machines[machine].ledger.overrides.find(id) is not None:
            await self._witness.refused(command, "seen before: not taken again", "repeated")
            return Outcome(True, step="done")
        old = self._engine.machines[machine].shown(self._clock()).state.name
        if trouble := await self._witness.asked(command, old):
            return Outcome(False, f"nothing was changed: the audit log cannot be written ({trouble})")
        if (held := self._engine.machines.get(machine)) is None:     # the site file has changed meanwhile
            outcome = Outcome(False, f"nothing was changed: there is no machine {shown(machine)} any more")
            await self._witness.ended(command, outcome, old)
            return outcome
        held.operate(entry)
        await self._keep()
        self._health.add(Count.COMMANDS_DONE)
        outcome = Outcome(True, step="done")
        await self._witness.ended(command, outcome, old)
        return outcome

    def _judged(self, id: str, name: str, said: Mapping[str, Any], through: Through, who: str) -> Entry:
        machine, section = self._engine.machines.get(name), self._allowed.get(name)
        if machine is None:
            raise Refused(f"there is no machine {shown(name)}")
        if section is None:
            raise Refused(f"nobody may say anything of {name}: it has no operator: in the site file")
        if through not in section.through:
            raise Refused(f"saying something of {name} through {through} is not allowed")
        if not isinstance(id, str) or not _ID.fullmatch(id):
            raise Refused("the id of a statement has 1 to 64 letters, digits, - or _")
        if unknown := [key for key in said if key not in KEYS]:
            raise Refused(f"unknown key {unknown[0][:64]!r}; a statement has {', '.join(KEYS)}")
        entry = self._entry(id, machine, said, self._name(section, said, who))
        known = machine.ledger.overrides.find(id)
        if known is not None and known[2:] != entry[2:] and not _is_open(said):
            raise Refused(f"the id {id} was used before, for another statement")
        return entry

    def _entry(self, id: str, machine: Machine, said: Mapping[str, Any], who: str) -> Entry:
        now = self._clock()
        state, reason, clear = _state(said.get("state")), _text("reason", said.get("reason")), said.get("clear", False)
        if type(clear) is not bool:
            raise Refused("clear is true or false")
        if clear is bool(state is not None or reason):
            raise Refused("say a state, a reason, or both; or clear: true to take back what was said of a stretch")
        start = self._time("from", said.get("from"))
        start = machine.shown(now).start if start is None and state is None and not clear else start
        start = now if start is None else start
        end = self._time("until", said.get("until"))
        if start > now + AHEAD_NS:
            raise Refused("from lies in the future; what is planned belongs into the calendar")
        if end is not None and end <= start:
            raise Refused("until must be after from")
        if end is not None and end > now + LONGEST_AHEAD_NS:
            raise Refused("until lies more than 7 days ahead; leave it out: until the machine runs again")
        floor = machine.ledger.remembered_from
        if floor is not None and start < floor:
            raise Refused(f"the agent remembers the machine from {self._iso(floor)} on; what was before is closed")
        if len(machine.ledger.overrides.entries) >= MOST:
            raise Refused(f"{MOST} statements are kept already; some go when their windows are closed")
        return Entry(now, id, start, end, state, reason, who)

    def _name(self, section: OperatorModel, said: Mapping[str, Any], who: str) -> str:
        name = _text("who", said.get("who")) or who
        if section.names == "none":
            return ""
        return name if section.names == "plain" else f"op-{self._pseudonym(name)}"

    def _pseudonym(self, name: str) -> str:
        """The same for the same name; without the key nobody finds the name by trying (domain 5.2)."""
        return hmac.new(self._key, name.encode(), hashlib.sha256).hexdigest()[:12]

    def _time(self, key: str, value: Any) -> int | None:
        if value is None or isinstance(value, Ns):
            return value
        if type(value) is int and 0 <= value < 1 << 43:
            return value * _MS
        try:
            moment = datetime.fromisoformat(value)
            return to_ns(moment) if moment.tzinfo else wall_to_ns(moment, self._zone)
        except (TypeError, ValueError, OverflowError):
            hint = "2026-11-23T06:00:00+08:00, or whole ms UTC"
            raise Refused(f"{key}: {shown(value)} is no time; write {hint}") from None

    def _iso(self, t_ns: int) -> str:
        return datetime.fromtimestamp(t_ns / SECOND, UTC).astimezone(self._zone).isoformat(timespec="seconds")


def _is_open(said: Mapping[str, Any]) -> bool:
    """Whether a repetition cannot be told from another statement: it says no time of its own."""
    return said.get("from") is None


def _state(value: Any) -> MachineState | None:
    if value is None:
        return None
    if not isinstance(value, str) or value not in MachineState.__members__:
        raise Refused(f"{shown(value)} is no state; states: {', '.join(MachineState.__members__)}")
    return MachineState[value]


def _text(key: str, value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, str) or not value.isprintable() or not 0 < len(value.strip()) <= LONGEST_TEXT:
        raise Refused(f"{key} is a text of 1 to {LONGEST_TEXT} printable characters")
    return value.strip()


def _told(said: Mapping[str, Any]) -> str:
    """A statement in a line of the audit log; the name in it is personal and stays out."""
    return ", ".join(f"{key} {shown(said[key])}" for key in KEYS[:-1] if said.get(key) is not None)


def pseudonym_key(data_dir: Path) -> bytes:
    """The agent's own key, made when it is first needed; only the agent may read it. Blocks."""
    path = data_dir / KEY_FILE
    try:
        return path.read_bytes()
    except FileNotFoundError:
        made = secrets.token_bytes(32)
        fresh = path.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(made)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)     # whole or not at all, a power cut too: half a key would be a weak one
        Disk().sync_folder(data_dir)
        return made

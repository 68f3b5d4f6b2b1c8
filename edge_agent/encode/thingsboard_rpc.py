"""Remote calls of ThingsBoard (`v1/gateway/rpc`) as commands.

    {"device": "press-1", "data": {"id": 7, "method": "write", "params": {"tag": "temp", "value": 23.4}}}
    {"device": "press-1", "data": {"id": 8, "method": "temp", "params": 23.4}}      the method is the tag: for widgets
    {"device": "press-1 machine", "data": {"id": 9, "method": "state", "params": {"state": "MAINT", "reason": "TOOL"}}}

and the answer on the same topic: {"device": "press-1", "id": 7, "data": {"success": true, "read_back": 23.4}}.

ThingsBoard numbers its calls anew whenever it has forgotten a device, and after a new link sends again what was not
answered: see `repeats`.
"""

from __future__ import annotations

from typing import Any, Final

import orjson

from edge_agent.core.command import Outcome
from edge_agent.encode.json_command import LONGEST, STATEMENT
from edge_agent.encode.message import Message, Received
from edge_agent.encode.profile import Asked
from edge_agent.encode.repeats import Repeats
from edge_agent.encode.thingsboard_names import Names

TOPIC: Final = "v1/gateway/rpc"


class Calls:
    """The calls of one gateway; remembers which it has heard lately."""

    def __init__(self, names: Names, destination: str) -> None:
        self.repeats = Repeats(destination)
        self._names = names

    def read(self, received: Received) -> Asked | None:
        """What a call asks for; None for what is no call, such as our own answers. Never raises."""
        found = _opened(received)
        if found is None:
            return None
        name, method, params = found["device"], found["data"]["method"], found["data"].get("params")
        if len(received.payload) > LONGEST:
            return Asked("", "", error=f"a call has at most {LONGEST} bytes, not {len(received.payload)}")
        id = self.repeats.id(received)
        device, machine = self._names.device_of(name), self._names.machine_of(name)
        if method == "state" and machine:
            if not isinstance(params, dict) or not any(key in params for key in STATEMENT):
                return Asked(id, machine, error='params must be such as {"state": "MAINT", "reason": "TOOL"}')
            return Asked(id, machine, said=params)
        if not device:
            return Asked(id, machine or name[:64], error=f"{name[:64]!r} is no device that takes {method[:64]!r}")
        if method == "write":
            if not isinstance(params, dict) or not isinstance(params.get("tag"), str) or "value" not in params:
                return Asked(id, device, error='params must be such as {"tag": "speed", "value": 5}')
            return Asked(id, device, params["tag"], params["value"])
        return Asked(id, device, method, params)


def answer(outcome: Outcome, received: Received) -> Message | None:
    """The answer to a call; None if it was none."""
    found = _opened(received)
    if found is None:
        return None
    more = {"read_back": outcome.read_back} if outcome.ok else {"error": outcome.error}
    data = {"success": outcome.ok, **more}
    return Message(TOPIC, orjson.dumps({"device": found["device"], "id": found["data"]["id"], "data": data}))


def _opened(received: Received) -> dict[str, Any] | None:
    try:
        said = orjson.loads(received.payload)
    except ValueError:
        return None
    data = said.get("data") if isinstance(said, dict) else None
    if not isinstance(data, dict) or not isinstance(data.get("method"), str) or type(data.get("id")) is not int:
        return None
    return said if isinstance(said.get("device"), str) else None

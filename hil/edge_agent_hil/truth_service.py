"""The truth for outsiders: a question a line, an answer a line, JSON, on this machine only.

    {"machine": "press-1", "start": ns, "end": ns}      → the vector and KPIs of [start, end)
        "micro_stop": ns   threshold for the classic ratios (default 0)
        "as_of": ns        judge open stops with what was known then (default: end)
    {"machines": true}                                  → {"machines": [...], "start": ns}
    {"now": true}                                       → {"now": ns}

Times are simulated ns UTC. `end` and `as_of` are cut to the simulated now, and everything that has
happened up to then is in the answer; `end` in the answer says which instant that was. A wrong
question gets {"error": "..."} and the connection stays open.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping

from edge_agent_hil.plant import Plant

KEYS = {"machine", "start", "end", "micro_stop", "as_of"}


class TruthService:
    """Answers questions about one plant."""

    def __init__(self, plant: Plant) -> None:
        self._plant = plant
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def start(self) -> int:
        """Serve; the port."""
        self._server = await asyncio.start_server(self._talk, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Stop serving and let go of whoever is connected."""
        if self._server is not None:
            self._server.close()
            for writer in list(self._writers):
                writer.close()
            await self._server.wait_closed()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while line := await reader.readline():
                writer.write(json.dumps(self.answer(line)).encode() + b"\n")
                await writer.drain()
        except (ConnectionError, ValueError):
            pass                # gone, or a line longer than any question: nobody to answer
        finally:
            self._writers.discard(writer)
            writer.close()

    def answer(self, line: bytes) -> dict[str, object]:
        """The answer to one question."""
        try:
            question = json.loads(line)
        except ValueError as error:
            return {"error": f"not JSON: {error}"}
        if not isinstance(question, dict):
            return {"error": "a question is a JSON object"}
        if question == {"now": True}:
            return {"now": self._plant.advance()}
        if question == {"machines": True}:
            return {"machines": list(self._plant.machines), "start": self._plant.start}
        return self._vector(question)

    def _vector(self, question: Mapping[str, object]) -> dict[str, object]:
        if unknown := sorted(set(question) - KEYS):
            known = ", ".join(sorted(KEYS))
            return {"error": f"unknown key {unknown[0]!r}; there are {known}, machines, now"}
        name = question.get("machine")
        if name not in self._plant.machines:
            return {"error": f"no machine {name!r}; there are {', '.join(self._plant.machines)}"}
        numbers = {key: value for key, value in question.items() if key != "machine"}
        for key, value in numbers.items():
            if not isinstance(value, int) or isinstance(value, bool):
                return {"error": f"{key}: {value!r} is no integer of ns"}
        now = self._plant.advance()
        ends = {key: min(now, int(str(numbers.get(key, now)))) for key in ("end", "as_of")}
        as_of = ends["as_of"] if "as_of" in numbers else ends["end"]
        vector = self._plant.truths[str(name)].vector(
            int(str(numbers.get("start", self._plant.start))),
            ends["end"],
            int(str(numbers.get("micro_stop", 0))),
            as_of,
        )
        return {"machine": name, "now": now, **vector.to_json()}

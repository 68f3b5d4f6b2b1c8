"""Machines seen through Modbus TCP or RTU: units behind one way in."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from edge_agent_hil.equipment_faults import MODBUS
from edge_agent_hil.face_file import Gateway, ModbusFace
from edge_agent_hil.modbus_bank import NO_TARGET, exception
from edge_agent_hil.modbus_door import HOST, Door, SerialDoor, TcpDoor
from edge_agent_hil.modbus_frame import Request
from edge_agent_hil.modbus_unit import Unit
from edge_agent_hil.plant import Plant


class ModbusServer:
    """All faces behind one way in; see `plant.Face`."""

    def __init__(
        self, gateway: Gateway, faces: Mapping[tuple[str, str], ModbusFace], plant: Plant, host: str = HOST
    ) -> None:
        """`faces`: by (machine, name of the face); `host`: where a port listens."""
        self._plant = plant
        self._serial = gateway.is_serial
        self._units = {
            key: Unit(
                key[0], plant.file.machines[key[0]], face, plant.equipment[key[0]], partial(plant.look, key[0])
            )
            for key, face in faces.items()
        }
        self._by_id = {unit.face.unit: unit for unit in self._units.values()}
        self._machines = {name for name, _ in faces}
        self.door: Door = (
            SerialDoor(gateway.baud, gateway.link, self._reply)
            if gateway.baud is not None
            else TcpDoor(gateway.port, self._reply, host)
        )

    async def start(self) -> None:
        """Listen. OSError if the port is taken."""
        await self.door.start()

    def _reply(self, request: Request) -> tuple[bytes, float] | None:
        unit = self._by_id.get(request.unit)
        if unit is None or unit.equipment.is_closed(self._plant.now()):
            return None if self._serial else (exception(request.function, NO_TARGET), 0.0)
        return unit.answer(request.pdu), unit.equipment.number("slow", "by", self._plant.now()) / 1e9

    async def publish(self, name: str) -> None:
        """Nothing to do: Modbus is asked."""

    async def disturb(self, name: str) -> None:
        """A machine with a way in of its own closes it; behind a shared one only its unit is gone."""
        if len(self._machines) == 1:
            await self.door.set_open(not self._plant.equipment[name].is_closed(self._plant.now()))

    def describe(self, name: str, face: str) -> dict[str, object]:
        """Driver, url, tags in the words of the site file, state codes."""
        unit = self._units[name, face]
        return {"driver": MODBUS, "url": self.door.url(unit.face.unit), **unit.describe()}

    async def close(self) -> None:
        """Close the way in and every connection."""
        await self.door.close()

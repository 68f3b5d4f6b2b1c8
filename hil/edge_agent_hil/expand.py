"""A plant file with every machine written out: `count: 100` makes a hundred of one."""

from __future__ import annotations

from edge_agent_hil.plant_file import LineFile, MachineFile, PlantFile

HIGHEST_UNIT = 247              # of a Modbus unit (serial line specification, 2.2)


def expand(file: PlantFile) -> PlantFile:
    """The same plant; machines and lines with `count` as so many of them."""
    counts = {name: machine.count for name, machine in file.machines.items()}
    machines = {
        _numbered(name, n, machine.count): _one(machine, n)
        for name, machine in file.machines.items()
        for n in range(1, machine.count + 1)
    }
    lines = {
        _numbered(name, n, line.count): LineFile(
            machines=tuple(_numbered(one, n, counts[one]) for one in line.machines), buffers=line.buffers
        )
        for name, line in file.lines.items()
        for n in range(1, line.count + 1)
    }
    return file.model_copy(update={"machines": machines, "lines": lines})


def _numbered(name: str, n: int, count: int) -> str:
    return f"{name}-{n}" if count > 1 else name


def _one(machine: MachineFile, n: int) -> MachineFile:
    """The n-th: on a way in that it shares its unit id is n − 1 higher than the first one's."""
    if machine.count == 1:
        return machine
    shared = {key: face for key, face in machine.modbus_faces.items() if face.gateway or face.port}
    units = {key: face.model_copy(update={"unit": face.unit + n - 1}) for key, face in shared.items()}
    return machine.model_copy(update={"count": 1, **units})

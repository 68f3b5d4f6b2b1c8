"""`edge-hil replay` on the command line: serve a recording again, Modbus with any fault of a server that misbehaves."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from edge_agent_hil.command import DONE, WRONG_CONFIG, Commands, run_until_stopped, say, show
from edge_agent_hil.misbehave import misbehave
from edge_agent_hil.misbehave_command import add_options, options_of


def add(commands: Commands) -> None:
    """Its options."""
    command = commands.add_parser("replay", help="serve a recording of a device again")
    command.set_defaults(run=partial(run, command))
    command.add_argument("file", type=Path, metavar="FILE", help="what edge-hil record has written")
    in_order = "Modbus: each request gets its next answer, instead of the one of that moment"
    command.add_argument("--in-order", action="store_true", help=in_order)
    add_options(command)


def run(parser: argparse.ArgumentParser, given: argparse.Namespace) -> int:
    """Serve until told to stop."""
    from edge_agent.api import ConfigError
    from edge_agent_hil.recording import read
    from edge_agent_hil.recording_modbus import exchange_of

    try:
        head, found = read(given.file, {"modbus": exchange_of, "opcua": _change_of})
    except ConfigError as error:
        say(str(error))
        return WRONG_CONFIG
    if head["recording"] == "opcua":
        return _replay_opcua(parser, given, head.get("namespaces", ()), found)
    return _replay_modbus(parser, given, found)


def _replay_modbus(parser: argparse.ArgumentParser, given: argparse.Namespace, exchanges: Sequence[Any]) -> int:
    from edge_agent_hil.recorded_unit import Since, recorded_units

    units = recorded_units(exchanges, Since(), given.in_order)
    given.units = sorted(units)
    options = options_of(given, parser)
    run_until_stopped(lambda stop: misbehave(options, stop, show, units))
    return DONE


def _replay_opcua(
    parser: argparse.ArgumentParser, given: argparse.Namespace, namespaces: Sequence[str], changes: Sequence[Any]
) -> int:
    from edge_agent_hil.opcua_replay import replay_opcua

    of_modbus = {
        "--fault": given.fault, "--device": given.device, "--baud": given.baud, "--in-order": given.in_order,
        "--face": given.face != "tcp",
    }  # fmt: skip
    for option, value in of_modbus.items():
        if value:
            parser.error(f"{option} is of Modbus, and {given.file} is a recording of an OPC UA server")
    port, ready = given.port or 0, given.ready_file
    try:
        run_until_stopped(lambda stop: replay_opcua(namespaces, changes, port, stop, show, ready))
    except ValueError as error:
        say(f"{given.file}: {error}")
        return WRONG_CONFIG
    return DONE


def _change_of(said: Mapping[str, Any]) -> Any:
    from edge_agent_hil.recording_opcua import change  # here: Modbus does without a library of OPC UA

    return change(said)

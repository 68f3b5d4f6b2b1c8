"""`edge-hil replay`: serve a recording again; a server that misbehaves, whose units are those of the recording."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

from edge_agent_hil.command import DONE, WRONG_CONFIG, Commands, run_until_stopped, say, show
from edge_agent_hil.misbehave import misbehave
from edge_agent_hil.misbehave_command import add_options, options_of


def add(commands: Commands) -> None:
    """Its options."""
    command = commands.add_parser("replay", help="serve a recording of a Modbus device again")
    command.set_defaults(run=partial(run, command))
    command.add_argument("file", type=Path, metavar="FILE", help="what edge-hil record has written")
    in_order = "each request gets its next answer, instead of the one of that moment"
    command.add_argument("--in-order", action="store_true", help=in_order)
    add_options(command)


def run(parser: argparse.ArgumentParser, given: argparse.Namespace) -> int:
    """Serve until told to stop."""
    from edge_agent.api import ConfigError
    from edge_agent_hil.recorded_unit import Since, recorded_units
    from edge_agent_hil.recording import read_recording

    try:
        exchanges = read_recording(given.file)
    except ConfigError as error:
        say(str(error))
        return WRONG_CONFIG
    units = recorded_units(exchanges, Since(), given.in_order)
    given.units = sorted(units)
    options = options_of(given, parser)
    run_until_stopped(lambda stop: misbehave(options, stop, show, units))
    return DONE

"""`edge-hil run` on the command line."""

from __future__ import annotations

import argparse
import signal
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

from edge_agent_hil.command import DONE, FAILED, WRONG_CONFIG, Commands, say, show


def add(commands: Commands) -> None:
    """Its options."""
    command = commands.add_parser("run", help="play scenarios with faults, and judge what comes of them")
    command.set_defaults(run=partial(run, command.error))
    add = command.add_argument
    add("scenarios", nargs="*", metavar="SCENARIO", help="a file, the name of a shipped one, `fast` or `all`")
    add("--list", action="store_true", help="show the shipped scenarios")
    add("--report", type=Path, metavar="DIR", help="report.html, junit.xml and every log go there")
    add("--target", type=_target, action="append", default=[], metavar="MACHINE=URL",
        help="real equipment in place of a simulated machine; may be repeated")  # fmt: skip
    add("--seed", type=int, metavar="N", help="of the plant (default: the scenario's)")
    add("--agent", default="edge_agent.cli", metavar="MODULE", help="the agent, another than ours (edge_agent.cli)")


def run(wrong_usage: Callable[[str], NoReturn], given: argparse.Namespace) -> int:
    """Play them all."""
    from edge_agent.api import ConfigError  # here: the other commands start without all of this
    from edge_agent_hil.part import Interrupted
    from edge_agent_hil.runner.campaign import play_all
    from edge_agent_hil.runner.library import chosen, listed
    from edge_agent_hil.runner.stage import Options

    if given.list:
        show("\n".join(listed()))
        return DONE
    if not given.scenarios:
        wrong_usage("which scenario? `edge-hil run --list` shows those that are shipped")
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    options = Options(given.seed, dict(given.target), given.agent)
    try:
        scenarios = chosen(given.scenarios)
        for name in options.targets:
            if not any(name in one.plant.machines for one in scenarios):
                wrong_usage(f"--target: no scenario has a machine {name!r}")
        if given.report:
            given.report.mkdir(parents=True, exist_ok=True)
        results = play_all(scenarios, options, given.report, stop)
    except ConfigError as error:
        say(str(error))
        return WRONG_CONFIG
    except Interrupted:
        say("edge-hil run: interrupted")
        return FAILED
    return DONE if all(verdict.holds for _, verdicts in results for verdict in verdicts) else FAILED


def _target(text: str) -> tuple[str, str]:
    machine, _, url = text.partition("=")
    if not machine or not urlsplit(url).scheme:
        right = "write MACHINE=URL, such as press-1=modbus+tcp://10.0.0.5:502?unit=1"
        raise argparse.ArgumentTypeError(f"{text!r} names no equipment; {right}")
    return machine, url

"""The commands. Results go to stdout, messages to stderr; exit codes as in the README."""

from __future__ import annotations

import argparse
import asyncio
import io
import logging
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

import orjson

from edge_agent import __version__, field_tools, registry
from edge_agent.config import Site, load, sample, samples, schema
from edge_agent.errors import ConfigError

DONE, FAILED, WRONG_USAGE, WRONG_CONFIG = 0, 1, 2, 78


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of `edge-agent`; returns the exit code."""
    options = _parser().parse_args(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A terminal that knows no dashes shows something in their place.
        sys.stdout.reconfigure(errors="replace")
    logging.basicConfig(
        level=logging.DEBUG if options.verbose else logging.INFO,
        format="%(asctime)s %(levelname)-7s %(message)s",
        stream=sys.stderr,
    )
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        return command(options)
    except ConfigError as error:
        return _show_mistakes(error, getattr(options, "json", False))
    except BrokenPipeError:
        # `edge-agent sample … | head`: the reader has what it wanted.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE


def _parser() -> argparse.ArgumentParser:
    about = "Industrial edge agent: true OEE from OPC UA and Modbus."
    parser = argparse.ArgumentParser(prog="edge-agent", description=about)
    parser.add_argument("--version", action="version", version=f"edge-agent {__version__}")
    parser.add_argument("-v", "--verbose", action="store_true", help="log every attempt, not only changes")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, command: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(command=command)
        return sub

    def add_site(name: str, command: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        sub = add(name, command, text)
        sub.add_argument("site", type=Path, metavar="SITE.yaml")
        return sub

    add_site("run", _run, "run a site until SIGTERM or SIGINT")
    check = add_site("check", _check, "find every mistake in a site file at once")
    check.add_argument("--json", action="store_true", help="one JSON document on stdout")
    add_site("plan", _plan, "say what each device will be asked, and how often")
    field_tools.add_commands(add)
    add("schema", _schema, "print the JSON Schema of the site file")
    named = add("sample", _sample, "print a commented sample site file")
    named.add_argument("name", choices=sorted(samples()), metavar="NAME", help=", ".join(sorted(samples())))
    add("drivers", _drivers, "list the installed drivers and publishers")
    demo = add("demo", _demo, "simulated plant, broker, agent and a live OEE table; needs no configuration")
    demo.add_argument("--seconds", type=_seconds, metavar="N", help="stop by itself after N seconds, with a verdict")
    demo.add_argument("--broker", metavar="URL", help="use this MQTT broker, for example mqtt://127.0.0.1:1883")
    return parser


def _seconds(text: str) -> float:
    """A length of time that ends."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return seconds


def _load(path: Path) -> Site:
    return load(path, registry.drivers(), registry.publishers(), profiles=tuple(registry.profiles()))


def _show_mistakes(error: ConfigError, as_json: bool) -> int:
    if as_json:
        rows = [
            {"file": m.file, "line": m.line, "key": m.key, "value": m.value, "message": m.message, "hint": m.hint}
            for m in error.mistakes
        ]
        sys.stdout.buffer.write(orjson.dumps({"ok": False, "mistakes": rows}, option=orjson.OPT_INDENT_2) + b"\n")
    else:
        for mistake in error.mistakes:
            print(mistake, file=sys.stderr)
        print(f"{_plural(len(error.mistakes), 'mistake')}; nothing was started", file=sys.stderr)
    return WRONG_CONFIG


def _run(options: argparse.Namespace) -> int:
    # Imported here: the other commands answer without the weight of the whole agent.
    from edge_agent import agent

    site = _load(options.site)

    async def work() -> int:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        parts = await agent.build(site, registry.drivers(), registry.publishers())
        await agent.run(parts, stop)
        return DONE

    try:
        return run_loop(work())
    except OSError as error:
        print(f"edge-agent: {error}", file=sys.stderr)
        return FAILED


def run_loop(main_part: Coroutine[Any, Any, int]) -> int:
    """Run on uvloop where it is installed (half the CPU per request), else on asyncio's own loop."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run(main_part)
    return uvloop.run(main_part)


def _check(options: argparse.Namespace) -> int:
    from edge_agent import agent

    site = _load(options.site)
    agent.prepare(site, registry.drivers(), registry.publishers())
    if options.json:
        sys.stdout.buffer.write(orjson.dumps({"ok": True, "mistakes": []}, option=orjson.OPT_INDENT_2) + b"\n")
    else:
        tags = sum(len(device.tags) for device in site.devices.values())
        numbers = {"device": len(site.devices), "tag": tags, "machine": len(site.machines)}
        numbers["destination"] = len(site.publish)
        print(f"{options.site}: no mistakes; " + ", ".join(_plural(n, what) for what, n in numbers.items()))
    return DONE


def _plural(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def _plan(options: argparse.Namespace) -> int:
    site = _load(options.site)
    table = site.tag_table()
    for name, device in site.devices.items():
        plugin = registry.drivers()[device.driver]
        print(f"{name}  {device.driver}  {device.url}")
        for line in plugin.describe(name, device, table.device_tags(name)):
            print(f"  {line}")
    return DONE


def _schema(options: argparse.Namespace) -> int:
    document = schema(registry.drivers(), registry.publishers())
    sys.stdout.buffer.write(orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")
    return DONE


def _sample(options: argparse.Namespace) -> int:
    print(sample(options.name), end="")
    return DONE


def _drivers(options: argparse.Namespace) -> int:
    for kind, plugins in (("driver", registry.drivers()), ("publisher", registry.publishers())):
        for name, plugin in plugins.items():
            print(f"{kind:10} {name:12} {plugin.summary}")
    return DONE


def _demo(options: argparse.Namespace) -> int:
    from edge_agent import demo

    try:
        return demo.demo(options.seconds, options.broker)
    except demo.WrongBroker as error:
        print(f"edge-agent demo: --broker {error}", file=sys.stderr)
        return WRONG_USAGE


if __name__ == "__main__":
    sys.exit(main())

"""The commands. Results go to stdout, messages to stderr; exit codes as in the README."""

from __future__ import annotations

import argparse
import asyncio
import io
import logging
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from edge_agent import __version__, cert_tools, field_tools, journal_tools, learn_tools, registry, replay_tools
from edge_agent.api import DriverPlugin, ProfilePlugin, PublisherPlugin, ServerPlugin
from edge_agent.config import Site, about, load, message_sample, messages, placed, sample, samples, schema
from edge_agent.core.quantity import size_bytes
from edge_agent.errors import ConfigError
from edge_agent.pages.command import add_options as pages_options
from edge_agent.pages.command import given as pages_given
from edge_agent.pages.command import run as show_pages
from edge_agent.report.command import add_options as report_options
from edge_agent.report.command import run as make_report
from edge_agent.warn import device_warnings, plan_warnings

if TYPE_CHECKING:
    from edge_agent.web.client import Client

log = logging.getLogger(__name__)

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
        return _flushed(command(options))
    except ConfigError as error:
        site = getattr(options, "site", None)
        return _show_mistakes(placed(error, Path(site)) if site else error, getattr(options, "json", False))
    except BrokenPipeError:
        # `edge-agent sample … | head`: the reader has what it wanted.
        _forget_unwritten()
        return DONE
    except KeyboardInterrupt:
        print("edge-agent: stopped", file=sys.stderr)
        return FAILED
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        print(f"edge-agent: {error.strerror or error}{where}", file=sys.stderr)
        _forget_unwritten()
        return FAILED
    except Exception as error:
        told = "this is a fault of edge-agent itself; please report it, with what --verbose says"
        print(f"edge-agent: {type(error).__name__}: {error}; {told}", file=sys.stderr)
        log.debug("where it happened", exc_info=True)
        return FAILED


def _flushed(code: int) -> int:
    """What was printed is written, or raises here."""
    sys.stdout.flush()
    return code


def _forget_unwritten() -> None:
    """What was printed and cannot be written would be told once more at the end of the process."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


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

    def add_asking(name: str, command: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        sub = add(name, command, text)
        sub.add_argument("--url", metavar="URL", help="the agent's API; default http://127.0.0.1:8080")
        sub.add_argument("--ca", type=Path, metavar="FILE", help="for https: certificate authorities to trust, PEM")
        sub.add_argument(
            "--token", type=Path, metavar="FILE", help="with a token of the agent's site file: beyond its own machine"
        )
        sub.add_argument("--json", action="store_true", help="one JSON document on stdout")
        return sub

    run = add_site("run", _run, "run a site until SIGTERM or SIGINT")
    run.add_argument(
        "--heartbeat", type=Path, metavar="FILE", help="touched every 5 s while the agent is well, for health checks"
    )
    pages = add("pages", _pages, "show a running agent's pages, by the site file's `api` and `pages`, or by --url")
    pages.add_argument("site", type=Path, nargs="?", metavar="SITE.yaml", help="without it: see the options")
    pages_options(pages)
    check = add_site("check", _check, "find every mistake in a site file at once")
    check.add_argument("--connect", action="store_true", help="also try each device, tag and destination, a row each")
    check.add_argument("--seconds", type=_seconds, metavar="N", help="with --connect: how long each has, default 10")
    check.add_argument("--json", action="store_true", help="one JSON document on stdout")
    plan = add_site("plan", _plan, "say what each device will be asked, and what the site costs: network, disk, flash")
    plan.add_argument(
        "--endurance", type=_size, default="10TB", metavar="SIZE", help="what may be written to the card, default 10TB"
    )
    audit = add_site("audit", _audit, "show what was written to equipment, by whom, and what was refused")
    audit.add_argument("--verify", action="store_true", help="show what is wrong with the log instead")
    audit.add_argument("--json", action="store_true", help="one JSON document on stdout")
    report_options(add_site("report", _report, "make a report of a shift or a day: HTML or XLSX, from the data folder"))
    field_tools.add_commands(add)
    cert_tools.add_commands(add)
    replay_tools.add_commands(add)
    learn_tools.add_commands(add)
    journal_tools.add_commands(add)
    add("schema", _schema, "print the JSON Schema of the site file")
    named = add("sample", _sample, "print a commented sample site file, or a template that edge-agent drivers lists")
    named.add_argument("text", type=_sample_text, metavar="NAME", help=", ".join(sorted([*samples(), *messages()])))
    add("drivers", _drivers, "list the installed drivers, publishers and servers, and the templates shipped with them")
    demo = add("demo", _demo, "simulated plant, broker, agent and a live OEE table; needs no configuration")
    demo.add_argument("--seconds", type=_seconds, metavar="N", help="stop by itself after N seconds, with a verdict")
    demo.add_argument("--broker", metavar="URL", help="use this MQTT broker, for example mqtt://127.0.0.1:1883")
    add_asking("status", _status, "say how a running agent is: devices, destinations, what waits, what is wrong")
    why = add_asking("why", _why, "say why a tag of a running agent has the value it has, or none")
    why.add_argument("tag", metavar="TAG", help="as device.tag")
    return parser


def _size(text: str) -> int:
    try:
        size = size_bytes(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} {error}") from None
    if size <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is nothing; write a size, such as 10TB")
    return size


def _seconds(text: str) -> float:
    """A length of time that ends."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return seconds


def _sample_text(name: str) -> str:
    """The sample or the shipped template of that name; drivers are only loaded to look for a template."""
    if name in samples():
        return sample(name)
    if name in messages():
        return message_sample(name)
    shipped = {key: text for plugin in registry.drivers().values() for key, text in plugin.templates.items()}
    if name not in shipped:
        known = ", ".join([*samples(), *messages(), *shipped])
        raise argparse.ArgumentTypeError(f"there is no {name!r}; there are {known}")
    return shipped[name]


def _load(path: Path) -> Site:
    return load(
        path, registry.drivers(), registry.publishers(), profiles=registry.profiles(), servers=registry.servers()
    )


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


def _pages(options: argparse.Namespace) -> int:
    if options.site is not None:
        if said := pages_given(options):
            told = f"{', '.join(said)}: {options.site} says that; leave out one of them"
            print(f"edge-agent pages: {told}", file=sys.stderr)
            return WRONG_USAGE
        site = _load(options.site)
        if site.pages.listen is None or site.api.listen is None:
            key = "pages" if site.pages.listen is None else "api"
            print(f"edge-agent pages: {key}: is off in {options.site}", file=sys.stderr)
            return FAILED
        # In place of this process, which has loaded every driver to check the file.
        command = [sys.executable, "-m", "edge_agent.pages", *site.pages.options(site.api)]
        os.execv(sys.executable, command)  # noqa: S606 (no shell, on purpose)
    return show_pages(options)


def _run(options: argparse.Namespace) -> int:
    # Imported here: the other commands answer without the weight of the whole agent.
    from edge_agent.heartbeat import Heartbeat
    from edge_agent.renewal import Renewal

    site = _load(options.site)
    heartbeat = Heartbeat(os.environ, options.heartbeat)

    async def work() -> int:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        await Renewal(options.site, site, heartbeat).keep_running(stop)
        return DONE

    return run_loop(work())


def run_loop(main_part: Coroutine[Any, Any, int]) -> int:
    """Run on uvloop where it is installed (half the CPU per request), else on asyncio's own loop."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run(main_part)
    return uvloop.run(main_part)


def _check(options: argparse.Namespace) -> int:
    from edge_agent import agent

    if options.seconds is not None and not options.connect:
        print("edge-agent: --seconds belongs to --connect", file=sys.stderr)
        return WRONG_USAGE
    site = _load(options.site)
    ready = agent.prepare(site, registry.drivers(), registry.publishers())
    warnings = device_warnings(site, registry.drivers()) + plan_warnings(site, datetime.now(site.zone).date())
    warnings += [
        f"serve.{name}: {warning}"
        for name, server in site.serve.items()
        for warning in registry.servers()[server.type].warnings(server)
    ]
    if options.json and not options.connect:
        said = {"ok": True, "mistakes": [], "warnings": warnings}
        sys.stdout.buffer.write(orjson.dumps(said, option=orjson.OPT_INDENT_2) + b"\n")
    elif not options.json:
        tags = sum(len(device.tags) for device in site.devices.values())
        numbers = {"device": len(site.devices), "tag": tags, "machine": len(site.machines)}
        numbers |= {"destination": len(site.publish)} | ({"server": len(site.serve)} if site.serve else {})
        print(f"{options.site}: no mistakes; " + ", ".join(_plural(n, what) for what, n in numbers.items()))
        for warning in warnings:
            print(f"warning: {warning}", file=sys.stderr)
    if options.connect:
        from edge_agent import connect_check

        return connect_check.run(site, ready, warnings, options.seconds, options.json)
    return DONE


def _plural(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def _plan(options: argparse.Namespace) -> int:
    from edge_agent import agent, budget

    site = _load(options.site)
    table = site.tag_table()
    for name, device in site.devices.items():
        plugin = registry.drivers()[device.driver]
        print(f"{name}  {device.driver}  {', '.join(device.addresses())}")
        for line in plugin.describe(name, device, table.device_tags(name)):
            print(f"  {line}")
    for driver in sorted({device.driver for device in site.devices.values()}):
        devices = {name: device for name, device in site.devices.items() if device.driver == driver}
        tags = [tag for tag in table if tag.device in devices]
        for line in registry.drivers()[driver].overview(devices, tags):
            print(line)
    ready = agent.prepare(site, registry.drivers(), registry.publishers())
    for line in budget.lines(site, table, ready.engine.ring.memory_bytes, ready.profiles, options.endurance):
        print(line)
    return DONE


def _audit(options: argparse.Namespace) -> int:
    from edge_agent import journal

    folder = _load(options.site).agent.data_dir
    try:
        faults = journal.audit_faults(folder) if options.verify else []
        entries = list(journal.audit_entries(folder))
    except OSError as error:
        print(f"edge-agent audit: {error}", file=sys.stderr)
        return FAILED
    if options.json:
        said: object = {"ok": not faults, "faults": faults} if options.verify else entries
        sys.stdout.buffer.write(orjson.dumps(said, option=orjson.OPT_INDENT_2) + b"\n")
    elif options.verify:
        print("\n".join(faults) or _audit_extent(entries))
    else:
        for entry in entries:
            print(_audit_line(entry))
    return FAILED if faults else DONE


def _audit_extent(entries: Sequence[Mapping[str, Any]]) -> str:
    """What a log without faults covers: what is missing at either end, its lines cannot know."""
    if not entries:
        return "there is no audit log: nothing was commanded yet, or it is gone"
    first, last = (entries[at].get("n") for at in (0, -1))
    older = "" if first == 1 else f"; what came before line {first} went with its file, or was taken out"
    return f"no faults in lines {first} to {last}: every line follows the one before it{older}"


def _audit_line(entry: dict[str, Any]) -> str:
    """`2026-11-25T23:00:00.000+00:00 done     press-1.temp = 23.4 (was 21), by platform through mqtt, c-17`."""
    head = f"{entry.get('time')} {entry.get('step')!s:8} "
    if "what" in entry:
        return f"{head}{entry['what']}, by {entry.get('who') or 'nobody'} through {entry.get('through')}"
    if "device" not in entry:
        return head + (str(entry.get("error", "")) or f"{entry.get('times')} more refusals have no line of their own")
    value, old = (orjson.dumps(entry.get(key)).decode() for key in ("value", "old"))
    was = f" (was {old})" if entry.get("old") is not None else ""
    who = f", by {entry.get('who')} through {entry.get('through')}, {entry.get('id') or 'no id'}"
    end = f": {entry['error']}" if entry.get("error") else ""
    if entry.get("read_back") is not None:
        end = f": read back {orjson.dumps(entry['read_back']).decode()}"
    return f"{head}{entry['device']}.{entry.get('tag')} = {value}{was}{who}{end}"


def _report(options: argparse.Namespace) -> int:
    return make_report(options, _load)


def _schema(options: argparse.Namespace) -> int:
    document = schema(registry.drivers(), registry.publishers(), registry.servers(), registry.profiles())
    sys.stdout.buffer.write(orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")
    return DONE


def _sample(options: argparse.Namespace) -> int:
    print(options.text, end="")
    return DONE


def _drivers(options: argparse.Namespace) -> int:
    listed: tuple[tuple[str, Mapping[str, DriverPlugin | ProfilePlugin | PublisherPlugin | ServerPlugin]], ...] = (
        ("driver", registry.drivers()), ("publisher", registry.publishers()),
        ("profile", registry.profiles()), ("server", registry.servers()),
    )  # fmt: skip
    for kind, plugins in listed:
        for name, plugin in plugins.items():
            print(f"{kind:10} {name:12} {plugin.summary}")
    for name, plugin in registry.drivers().items():
        for template, text in plugin.templates.items():
            print(f"{'template':10} {template:20} for {name}: {about(text)}")
    return DONE


def _demo(options: argparse.Namespace) -> int:
    from edge_agent import demo

    try:
        return demo.demo(options.seconds, options.broker)
    except demo.WrongBroker as error:
        print(f"edge-agent demo: --broker {error}", file=sys.stderr)
        return WRONG_USAGE


def _status(options: argparse.Namespace) -> int:
    from edge_agent.web import tell

    return _ask(options, lambda agent: (True, agent.status()), tell.status)


def _why(options: argparse.Namespace) -> int:
    from edge_agent.web import tell

    return _ask(options, lambda agent: agent.tag(options.tag), tell.why)


def _ask(
    options: argparse.Namespace,
    ask: Callable[[Client], tuple[bool, dict[str, Any]]],
    told: Callable[[dict[str, Any]], list[str]],
) -> int:
    from edge_agent.web import client, tell

    try:
        found, answer = ask(client.Client(options.url or client.DEFAULT_URL, options.ca, options.token))
    except client.WrongUrl as error:
        print(f"edge-agent: {error}", file=sys.stderr)
        return WRONG_USAGE
    except client.NoAgent as error:
        print(f"edge-agent: {error}", file=sys.stderr)
        return FAILED
    if options.json:
        sys.stdout.buffer.write(orjson.dumps(answer, option=orjson.OPT_INDENT_2) + b"\n")
    elif found:
        print("\n".join(told(answer)))
    else:
        print(f"edge-agent: {tell.unknown(answer)}", file=sys.stderr)
    return DONE if found else FAILED


if __name__ == "__main__":
    sys.exit(main())

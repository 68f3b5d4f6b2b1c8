"""The commands that talk to equipment before there is a site file: `discover`, `probe`, `probe --limits`.

The driver whose scheme the URL has does the work; here it is found, waited for, and its findings printed.
The first Ctrl-C ends the work with what was found so far, the second at once.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import signal
import sys
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, Final, TypeVar

import orjson
import yaml

from edge_agent import registry
from edge_agent.api import AccessDenied, Discovery, Inquiry, Measured, NotConnected, Refused, Tools
from edge_agent.errors import ConfigError

DONE: Final = 0
FAILED: Final = 1
WRONG_USAGE: Final = 2

# Readings of an address that are worth a look; the rest is noise. --all shows them.
_SHOWN: Final = 8

T = TypeVar("T")
Add = Callable[[str, Callable[[argparse.Namespace], int], str], argparse.ArgumentParser]


def add_commands(add: Add) -> None:
    """Put the commands into the parser."""
    found = add("discover", _discover, "find out what is behind a URL, and print a device section that reads it")
    _add_url(found)
    found.add_argument("--csv", action="store_true", help="print a tag list instead")
    found.add_argument("--units", metavar="LIST", help="unit ids to ask, for example 1-20,247")
    found.add_argument("--range", metavar="FIRST-LAST", help="addresses to look at, default 0-9999")
    found.add_argument("--pause", metavar="TIME", help="quiet time between requests, for example 20ms")
    found.add_argument("--under", metavar="NODE", help="OPC UA: node id or path to begin at, default /Objects")
    found.add_argument("--depth", metavar="N", help="OPC UA: how many levels below it to look at")
    found.add_argument("--limit", metavar="N", help="OPC UA: end after so many nodes, default 100000")
    found.add_argument(
        "--properties", action="store_const", const="yes", help="OPC UA: list properties, too, not only variables"
    )
    found.add_argument("--resume", metavar="FILE", help="OPC UA: keep what is found there, and go on from it next time")
    probe = add("probe", _probe, "read live registers in every way, the most plausible first; or measure limits")
    _add_url(probe)
    probe.add_argument("addresses", nargs="+", metavar="ADDRESS", help="as in a site file; a range as holding:0-9")
    probe.add_argument("--reads", metavar="N", help="how often to read, default 5")
    probe.add_argument("--every", metavar="TIME", help="time between two reads, default 1s")
    probe.add_argument("--all", action="store_true", help="show implausible readings too")
    probe.add_argument("--limits", action="store_true", help="measure block size, pauses and answer times instead")
    probe.add_argument("--json", action="store_true", help="one JSON document on stdout")


def _add_url(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("url", metavar="URL", help="of the device, for example modbus+tcp://10.0.0.5:502?unit=1")
    parser.add_argument(
        "--with", dest="keys", action="append", default=[], metavar="KEY=VALUE",
        help="a key of the device section that holds while asking, for example timeout=300ms; may be repeated",
    )  # fmt: skip


# -- the commands --------------------------------------------------------------------------------


def _discover(options: argparse.Namespace) -> int:
    def show(found: Discovery) -> None:
        if options.csv:
            _print_csv(found.rows)
        else:
            print(found.section, end="")

    names = ("units", "range", "pause", "under", "depth", "limit", "properties", "resume")
    return _asked(options, names, lambda tools, inquiry: tools.discover(options.url, inquiry), show)


def _probe(options: argparse.Namespace) -> int:
    if options.limits:
        return _limits(options)

    def show(rows: Sequence[Mapping[str, Any]]) -> None:
        shown = list(rows if options.all else _best(rows))
        if options.json:
            _print_json({"readings": shown})
        else:
            print("\n".join(_told(shown)))

    return _asked(
        options, ("reads", "every"), lambda tools, inquiry: tools.probe(options.url, options.addresses, inquiry), show
    )


def _limits(options: argparse.Namespace) -> int:
    def show(found: Sequence[Measured]) -> None:
        if options.json:
            _print_json({"limits": [{"key": one.key, "value": one.value, "why": one.why} for one in found]})
        else:
            print("\n".join(_settings(found)))

    return _asked(
        options, ("reads", "every"), lambda tools, inquiry: tools.limits(options.url, options.addresses, inquiry), show
    )


def _asked(
    options: argparse.Namespace,
    names: Iterable[str],
    ask: Callable[[Tools, Inquiry], Coroutine[Any, Any, T]],
    show: Callable[[T], None],
) -> int:
    """Find the tools, ask, show what comes of it; the exit code."""
    try:
        given = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
        found = asyncio.run(_interruptible(tools_for(options.url), ask, given, _keys(options.keys)))
    except (ValueError, ConfigError) as error:
        return _failed(error, WRONG_USAGE)
    except (NotConnected, AccessDenied, Refused) as error:
        return _failed(error, FAILED)
    except asyncio.CancelledError:
        return _failed("stopped; nothing is shown", FAILED)
    show(found)
    return DONE


def _failed(told: object, code: int) -> int:
    print(f"edge-agent: {told}", file=sys.stderr)
    return code


async def _interruptible(
    tools: Tools,
    ask: Callable[[Tools, Inquiry], Coroutine[Any, Any, T]],
    options: Mapping[str, str],
    keys: Mapping[str, Any],
) -> T:
    """Ask; the first SIGINT or SIGTERM says that it is enough, the second cancels."""
    enough = False
    task = asyncio.current_task()
    assert task is not None

    def stop() -> None:
        nonlocal enough
        if enough:
            task.cancel()
        else:
            enough = True
            _tell("ending with what was found so far; once more to drop it")

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    return await ask(tools, Inquiry(_tell, lambda: enough, options, keys))


def tools_for(url: str) -> Tools:
    """The tools of the driver that understands the URL; ValueError names the schemes there are."""
    scheme = url.partition("://")[0].lower()
    known: list[str] = []
    for plugin in registry.drivers().values():
        if plugin.tools is not None:
            if scheme in plugin.tools.schemes:
                return plugin.tools
            known += plugin.tools.schemes
    schemes = ", ".join(f"{one}://" for one in known)
    raise ValueError(f"{url!r} begins with no scheme that can be asked; there are {schemes}")


def _keys(pairs: Sequence[str]) -> dict[str, Any]:
    """`timeout=300ms` → {"timeout": "300ms"}; values are read as in a site file."""
    keys: dict[str, Any] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not (key and equals) or key in keys:
            raise ValueError(f"--with {pair}: write KEY=VALUE, each key once, for example --with timeout=300ms")
        try:
            keys[key] = yaml.safe_load(text)
        except yaml.YAMLError:
            raise ValueError(f"--with {pair}: {text!r} cannot be read; write it as in a site file") from None
    return keys


# -- showing -------------------------------------------------------------------------------------


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _print_json(document: object) -> None:
    sys.stdout.buffer.write(orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")


def _print_csv(rows: Sequence[Mapping[str, str]]) -> None:
    if rows:
        writer = csv.DictWriter(sys.stdout, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _by_address(rows: Iterable[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    return (list(group) for _, group in groupby(rows, key=lambda row: row["address"]))


def _best(rows: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for group in _by_address(rows):
        yield from group[:_SHOWN]


def _told(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """A table for each address."""
    for number, group in enumerate(_by_address(rows)):
        if number:
            yield ""
        yield str(group[0]["about"])
        cells = [("score", "tag", "values", "why")]
        cells += [(str(row["score"]), _tag(str(row["tag"])), _values(row["values"]), str(row["why"])) for row in group]
        widths = [max(len(row[column]) for row in cells) for column in range(3)]
        for score, tag, values, why in cells:
            yield f"  {score:>{widths[0]}}  {tag:{widths[1]}}  {values:{widths[2]}}  {why}".rstrip()


def _tag(text: str) -> str:
    """As it stands in a site file: a mapping as it is, anything else in quotes."""
    return text if not text or text.startswith("{") else f'"{text}"'


def _values(values: Sequence[object], most: int = 4) -> str:
    """`17 18 19 … 24`; what never changes once."""
    texts = [_value(value) for value in values]
    if len(set(texts)) == 1:
        return texts[0]
    return " ".join(texts if len(texts) <= most else [*texts[: most - 1], "…", texts[-1]])


def _value(value: object) -> str:
    if isinstance(value, str):
        return value if value.isdecimal() else repr(value)
    return f"{value:.7g}" if isinstance(value, float) else str(value).lower()


def _settings(found: Sequence[Measured]) -> Iterator[str]:
    """Lines of YAML; what is not known as a comment."""
    known = [f"{one.key}: {one.value}" for one in found if one.value]
    width = max(map(len, known), default=0)
    for one in found:
        if one.value:
            yield f"{one.key}: {one.value}".ljust(width) + f"   # {one.why}"
        else:
            yield f"# {one.key}: {one.why}"

"""The command: its words, and which of them go together."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Final

import orjson

from edge_agent import registry
from edge_agent.config import Site, load
from edge_agent.config.finding import did_you_mean
from edge_agent.journal import stat, verify
from edge_agent.journal_tools import tell
from edge_agent.journal_tools.rows import KINDS, Wanted, rows
from edge_agent.journal_tools.write import FORMATS, NoParquet, write
from edge_agent.replay.window import instant

DONE: Final = 0
FAILED: Final = 1
WRONG_USAGE: Final = 2

Add = Callable[[str, Callable[[argparse.Namespace], int], str], argparse.ArgumentParser]


def add_commands(add: Add) -> None:
    """Put the command into the parser."""
    parser = add("journal", _journal, "what waits for whom (stat), the records themselves (export), whether every byte "
                 "is right (verify)")  # fmt: skip
    parser.add_argument("site", metavar="SITE.yaml")
    parser.add_argument("verb", metavar="|".join(VERBS), help="also before SITE.yaml")
    parser.add_argument("--json", action="store_true", help="stat, verify: one JSON document on stdout")
    parser.add_argument("--kind", choices=KINDS, help="export: which records, default samples")
    parser.add_argument("--from", dest="start", metavar="TIME", help="export: since this instant, without offset in "
                        "the agent's time zone")  # fmt: skip
    parser.add_argument("--to", dest="end", metavar="TIME", help="export: before this instant")
    parser.add_argument("--tag", action="append", metavar="TAG", help="export: only this device.tag, * is a wildcard; "
                        "may be repeated")  # fmt: skip
    parser.add_argument("--format", choices=FORMATS, help="export: default as the name of FILE ends, or jsonl")
    parser.add_argument("--out", type=Path, metavar="FILE", help="export: default stdout")


def _journal(options: argparse.Namespace) -> int:
    if options.site in VERBS and options.verb not in VERBS:
        options.site, options.verb = options.verb, options.site
    wrong = _wrong(options)
    if wrong:
        print(f"edge-agent journal: {wrong}", file=sys.stderr)
        return WRONG_USAGE
    site = load(Path(options.site), registry.drivers(), registry.publishers(), profiles=registry.profiles(),
                servers=registry.servers())  # fmt: skip
    folder = site.agent.data_dir / "journal"
    if not folder.is_dir():
        print(f"edge-agent journal: {folder}: there is no journal; the agent has not run yet", file=sys.stderr)
        return FAILED
    try:
        return VERBS[options.verb](options, site, folder)
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            raise
        print(f"edge-agent journal: {error}", file=sys.stderr)
        return FAILED


def _wrong(options: argparse.Namespace) -> str:
    if options.verb not in VERBS:
        return f"there is no {options.verb!r}; {did_you_mean(options.verb, VERBS, 'verbs')}"
    given = [
        name for name in ("kind", "start", "end", "tag", "format", "out") if getattr(options, name) is not None
    ]
    if options.verb != "export" and given:
        named = {"start": "from", "end": "to"}.get(given[0], given[0])
        return f"--{named} belongs to export"
    if options.verb == "export" and options.json:
        return "--json belongs to stat and verify; write --format jsonl"
    if options.tag and options.kind not in (None, "samples"):
        return f"--tag belongs to samples, not to --kind {options.kind}"
    return ""


def _stat(options: argparse.Namespace, site: Site, folder: Path) -> int:
    facts = stat(folder)
    wear = tell.Wear.of(facts, site.journal.max_size, site.journal.max_age)
    waiting = tell.oldest_waiting(folder, facts)
    if options.json:
        oldest = [waiting.get((cursor.lane, cursor.name)) for cursor in facts.cursors]
        cursors = [asdict(one) | {"oldest_waiting": since} for one, since in zip(facts.cursors, oldest, strict=True)]
        _print_json(asdict(facts) | {"cursors": cursors, "written": wear.to_dict()})
    else:
        print("\n".join(tell.overview(facts, wear, waiting, time.time_ns(), site.zone)))
    return DONE


def _verify(options: argparse.Namespace, _site: Site, folder: Path) -> int:
    facts = verify(folder)
    if options.json:
        _print_json({"intact": facts.intact, **asdict(facts)})
    else:
        print("\n".join(tell.troubles(facts)))
    return DONE if facts.intact else FAILED


def _export(options: argparse.Namespace, site: Site, folder: Path) -> int:
    zone = site.agent.timezone
    form = options.format or _form_of(options.out)
    kind = options.kind or "samples"
    try:
        start, end = (instant(text, zone) if text else None for text in (options.start, options.end))
        wanted = Wanted(kind, start, end, tuple(options.tag or ()), site.zone)
        n = write(rows(folder, wanted), kind, form, options.out)
    except (ValueError, NoParquet) as problem:
        print(f"edge-agent journal: {problem}", file=sys.stderr)
        return WRONG_USAGE
    if options.out:
        print(f"{n:,} rows to {options.out}", file=sys.stderr)
    return DONE


def _form_of(out: Path | None) -> str:
    suffix = out.suffix.removeprefix(".") if out else ""
    return suffix if suffix in FORMATS else "jsonl"


def _print_json(said: object) -> None:
    sys.stdout.buffer.write(orjson.dumps(said, option=orjson.OPT_INDENT_2) + b"\n")


VERBS: Final[dict[str, Callable[[argparse.Namespace, Site, Path], int]]] = {
    "stat": _stat, "export": _export, "verify": _verify,
}  # fmt: skip

"""`edge-agent learn`: thresholds of a power signature from recorded history, to paste into the site file."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np

from edge_agent import registry
from edge_agent.config import load
from edge_agent.config.finding import did_you_mean
from edge_agent.core.learning import MIN_DAYS, Learnt, NotLearnt, learn
from edge_agent.replay import HistoryError, readings

DONE: Final = 0
FAILED: Final = 1
WRONG_USAGE: Final = 2

Add = Callable[[str, Callable[[argparse.Namespace], int], str], argparse.ArgumentParser]


def add_commands(add: Add) -> None:
    """Put the command into the parser."""
    parser = add("learn", _learn, "find the thresholds that tell OFF, IDLE and RUN by the power a machine draws")
    parser.add_argument("site", type=Path, metavar="SITE.yaml")
    parser.add_argument("tag", metavar="TAG", help="the power, as device.tag")
    parser.add_argument("history", nargs="*", type=Path, metavar="HISTORY",
                        help="as for replay; default the site's own journal")  # fmt: skip
    parser.add_argument("--days", type=_days, default=MIN_DAYS, metavar="N", help="so many are enough, default 3")


def _days(text: str) -> float:
    days = float(text)
    if not 0 < days < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of days above 0")
    return days


def _learn(options: argparse.Namespace) -> int:
    site = load(options.site, registry.drivers(), registry.publishers(), profiles=registry.profiles(),
                servers=registry.servers())  # fmt: skip
    tag: str = options.tag
    tags = [f"{device}.{name}" for device, model in site.devices.items() for name in model.tags]
    if tag not in tags:
        print(f"edge-agent learn: there is no tag {tag!r}; {did_you_mean(tag, tags, 'tags')}", file=sys.stderr)
        return WRONG_USAGE
    try:
        found = readings(site, tag, options.history or [Path(site.agent.data_dir)])
    except HistoryError as error:
        print(error, file=sys.stderr)
        return WRONG_USAGE
    try:
        print(_told(tag, learn(found.time, found.value, found.quality, found.until, options.days)))
    except NotLearnt as reason:
        print(f"edge-agent learn: {tag}: {reason}", file=sys.stderr)
        return FAILED
    return DONE


def _told(tag: str, learnt: Learnt) -> str:
    """A section to paste below `state`, with what it rests on."""
    names = ["OFF", "IDLE", "RUN"]
    if learnt.run is None:
        names = ["OFF", "on (idle was never seen, so RUN cannot be told)"]
    elif learnt.off is None:
        names = ["IDLE", "RUN (it was never seen off)"]
    modes = ", ".join(
        f"{mode.power:.3g} {name} {100 * mode.share:.0f} %" for name, mode in zip(names, learnt.modes, strict=True)
    )
    apart = " and ".join(f"{sigma:.1f}" for sigma in learnt.sigmas)
    parts = [f"tag: {tag}"]
    for name, pair in (("off", learnt.off), ("run", learnt.run)):
        if pair is not None:
            parts.append(f"{name}: [{', '.join(np.format_float_positional(_rounded(x), trim='-') for x in pair)}]")
    return f"# {learnt.days:.1f} days: {modes}; {apart} sigma apart\npower: {{{', '.join(parts)}}}"


def _rounded(value: float) -> float:
    """Three digits say all that there is to say of a threshold."""
    return float(f"{value:.3g}")

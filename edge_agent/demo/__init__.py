"""The demo: a plant, a broker, an agent and a subscriber, each a process or a room of its own.

Everything is as in a factory but the machines: real sockets, real protocols, a real site file.
The numbers on the screen are those that came back from the broker; the verdict at the end
compares them with what the plant knows it did.
"""

from __future__ import annotations

import json
import signal
import socket
import sys
import tempfile
import threading
import time
from contextlib import ExitStack, closing
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_agent import front
from edge_agent.demo import site as sites
from edge_agent_hil.part import Interrupted, Part, PartError, Parts
from edge_agent_hil.ports import free_port

if TYPE_CHECKING:
    from edge_agent.demo.subscriber import Subscriber
    from edge_agent.demo.verdict import Verdict

ROOT = "edge/acme/demo/demo"
# From a site file to the first sample an agent takes about half the time in which the plant comes up,
# on any computer: after one and a half times that it reads, unless the computer is busy with something else.
START_S = 3.0
# How often another shift is begun, each time after twice the wait, because the agent was late for the one before.
SHIFTS = 5
# Where an agent is looked for that is not said to be elsewhere.
API_PORT = 8080
PAGES_PORT = 8081
NO_PAGES = "none: pip install 'edge-agent[ui]'"


class WrongBroker(ValueError):
    """What was given as broker is no address of one; the text says what would be right."""


def demo(seconds: float | None, broker: str | None) -> int:
    """Run until Ctrl-C, or for `seconds`; 0 if every OEE was true and nothing was missing, else 1.

    `broker` is `mqtt://[user:password@]host[:port]` or the like; WrongBroker if it is not.
    """
    try:
        # Only the demo needs these: a gateway without a screen does not carry them.
        import amqtt  # noqa: F401
        import rich  # noqa: F401
    except ImportError as error:
        print(f"edge-agent demo: {error.name} is missing; pip install 'edge-agent[demo]'", file=sys.stderr)
        return 1
    place = _destination(broker)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    with tempfile.TemporaryDirectory(prefix="edge-agent-demo-") as folder, ExitStack() as stack:
        parts = stack.enter_context(Parts(Path(folder), stop))
        try:
            return _run(parts, stack, seconds, place, stop)
        except PartError as error:
            print(f"edge-agent demo: {error}", file=sys.stderr)
            return 1
        except Interrupted:
            return 0 if seconds is None else 1


def _destination(broker: str | None) -> dict[str, Any] | None:
    try:
        return sites.destination(broker) if broker is not None else None
    except ValueError as error:
        raise WrongBroker(str(error)) from error


def _run(
    parts: Parts, stack: ExitStack, seconds: float | None, place: dict[str, Any] | None, stop: threading.Event
) -> int:
    from edge_agent.demo.subscriber import listen
    from edge_agent.demo.verdict import judge
    from edge_agent_hil.truth_client import TruthClient

    place = place or sites.inner_broker(_start_broker(parts))
    # Heard before the plant is started: a broker that refuses is told of at once.
    listener = stack.enter_context(listen(place, ROOT))
    print("starting a plant of three machines, Modbus and OPC UA …", flush=True)
    started = time.monotonic()
    ready = _start_plant(parts)
    wait = max(START_S, 1.5 * (time.monotonic() - started))
    port = free_port(API_PORT)
    pages = free_port(PAGES_PORT) if front.can_run() else None
    for left in reversed(range(SHIFTS)):
        begin = (time.time_ns() // 10**9 + round(wait)) * 10**9
        listener.expect(begin)
        agent = _start_agent(parts, ready, place, begin, port, pages)
        # Stopped before the listener, so that the listener hears its goodbye.
        stack.callback(agent.stop)
        if _watch(parts, ready, listener, begin, seconds, stop) or not left:
            break
        parts.stop(agent)
        listener.wait_for_goodbye()
        wait *= 2
        print(f"the agent was late for its shift: this computer is busy. Another one, in {wait:.0f} s:", flush=True)
    truth = stack.enter_context(closing(TruthClient(ready["truth"]["host"], ready["truth"]["port"])))
    verdicts = [
        judge(machine, listener.kpis.get(machine), listener.tags[machine], truth, begin, time.time_ns())
        for machine in ready["machines"]
    ]
    return _summary(verdicts, listener, seconds)


def _start_agent(
    parts: Parts, ready: dict[str, Any], place: dict[str, Any], begin: int, port: int, pages: int | None
) -> Part:
    """An agent that knows nothing yet, with a shift from `begin` on."""
    path = parts.folder / "site.yaml"
    data = parts.folder / f"data-{begin // 10**9}"
    sites.write(path, sites.site(ready, data, place, sites.local(begin, ready["timezone"]), port, pages))
    agent = parts.start("the agent", "-m", "edge_agent.cli", "run", str(path))
    print(f"site file   {path}\nagent log   {agent.log}\nbroker      {place['url']}   topics {ROOT}/#")
    shown = f"http://127.0.0.1:{pages}   (the code of the first visit is in the agent log)"
    print(f"agent API   http://127.0.0.1:{port}/api/v1/status")
    print(f"pages       {shown if pages else NO_PAGES}", flush=True)
    return agent


def _watch(
    parts: Parts,
    ready: dict[str, Any],
    listener: Subscriber,
    begin: int,
    seconds: float | None,
    stop: threading.Event,
) -> bool:
    """Until it is over; False as soon as the agent turns out to have been late for the shift."""
    from edge_agent.demo.table import Picture, Screen

    machines = tuple(ready["machines"])
    with Screen() as screen:
        while not stop.wait(0.5):
            parts.check()
            elapsed = (time.time_ns() - begin) / 1e9
            over = seconds is not None and elapsed >= seconds
            if listener.late or (over and not listener.knows(machines)):
                return False
            if over:
                return True
            backlog = listener.status.get("backlog", {}).get("broker")
            samples = sum(listener.tags.values())
            screen.show(
                Picture(machines, listener.states, listener.kpis, samples, backlog, elapsed, listener.connected)
            )
    return True


def _summary(verdicts: list[Verdict], listener: Subscriber, seconds: float | None) -> int:
    from edge_agent.demo.verdict import summary

    print("\n" + "\n".join(summary(verdicts)))
    print(
        f"{sum(listener.tags.values())} samples, {listener.duplicates} duplicates, {listener.disorder} out of order"
    )
    holds = all(verdict.holds for verdict in verdicts) and listener.disorder == 0
    within = 100 * max(verdict.tolerance for verdict in verdicts)
    print(f"{'every' if holds else 'NOT every'} OEE is true, within {within:.2f} points", flush=True)
    # A visitor who leaves early has not asked for a verdict.
    return 0 if holds or seconds is None else 1


def _start_plant(parts: Parts) -> dict[str, Any]:
    file = str(files("edge_agent_hil") / "plants" / "demo.yaml")
    ready = parts.folder / "ready.json"
    plant = parts.start("the plant", "-m", "edge_agent_hil.cli", "serve", file, "--ready-file", str(ready))
    parts.wait_for(plant, ready.exists)
    document: dict[str, Any] = json.loads(ready.read_text())
    return document


def _start_broker(parts: Parts) -> str:
    port = free_port()
    broker = parts.start("the broker", "-m", "edge_agent.demo.broker", str(port))
    parts.wait_for(broker, lambda: _answers(port))
    return f"mqtt://127.0.0.1:{port}"


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0

"""The demo: a plant, a broker, an agent and a subscriber, each a process or a room of its own.

Everything is as in a factory but the machines: real sockets, real protocols, a real site file.
The numbers on the screen are those that came back from the broker; the verdict at the end
compares them with what the plant knows it did.
"""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = "edge/acme/demo/demo"
# From a site file to the first sample: interpreter, OPC UA library and subscriptions, on a slow gateway.
START_S = 6
READY_S = 60


class DemoError(Exception):
    """A part of the demo did not come up; says which, and what it printed last."""


def demo(seconds: float | None, broker: str | None) -> int:
    """Run until Ctrl-C, or for `seconds`; 0 if every OEE was true and nothing was missing, else 1."""
    try:
        # Only the demo needs these: a gateway without a screen does not carry them.
        import amqtt  # noqa: F401
        import rich  # noqa: F401
    except ImportError as error:
        print(f"edge-agent demo: {error.name} is missing; pip install 'edge-agent[demo]'", file=sys.stderr)
        return 1
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with tempfile.TemporaryDirectory(prefix="edge-agent-demo-") as folder, ExitStack() as stack:
        try:
            return _run(Path(folder), stack, seconds, broker, stop)
        except DemoError as error:
            print(f"edge-agent demo: {error}", file=sys.stderr)
            return 1


def _run(folder: Path, stack: ExitStack, seconds: float | None, broker: str | None, stop: threading.Event) -> int:
    from edge_agent.demo import site as sites
    from edge_agent.demo.subscriber import Subscriber
    from edge_agent.demo.verdict import Truth, judge

    ready = _start_plant(folder, stack)
    # The broker inside speaks MQTT 3.1.1 only and does not answer a newer greeting.
    place = {"url": broker} if broker else {"url": _start_broker(folder, stack), "version": "3.1.1"}
    url = place["url"]
    begin = time.time_ns() // 10**9 * 10**9 + START_S * 10**9
    path = folder / "site.yaml"
    sites.write(path, sites.site(ready, folder, place, sites.local(begin, ready["timezone"])))
    listener = Subscriber(url, ROOT)
    stack.callback(listener.close)
    stack.enter_context(_process(folder, "agent", "-m", "edge_agent.cli", "run", str(path)))
    print(f"site file   {path}\nagent log   {folder / 'agent.log'}\nbroker      {url}   topics {ROOT}/#", flush=True)
    _watch(ready, listener, begin, seconds, stop)
    truth = Truth(ready["truth"]["host"], ready["truth"]["port"])
    stack.callback(truth.close)
    verdicts = [
        judge(machine, listener.kpis.get(machine), listener.tags[machine], truth, begin)
        for machine in ready["machines"]
    ]
    return _summary(verdicts, listener, seconds)


def _watch(ready: dict[str, Any], listener: Any, begin: int, seconds: float | None, stop: threading.Event) -> None:
    from edge_agent.demo.table import Picture, Screen

    with Screen() as screen:
        while not stop.wait(0.5):
            elapsed = (time.time_ns() - begin) / 1e9
            if seconds is not None and elapsed >= seconds:
                return
            backlog = listener.status.get("backlog", {}).get("broker")
            machines = tuple(ready["machines"])
            samples = sum(listener.tags.values())
            screen.show(Picture(machines, listener.states, listener.kpis, samples, backlog, elapsed))


def _summary(verdicts: list[Any], listener: Any, seconds: float | None) -> int:
    print("\nas received from the broker (in brackets: what the plant really did, at the same instant)")
    for verdict in verdicts:
        print("\n".join(verdict.lines()))
    print(
        f"{sum(listener.tags.values())} samples, {listener.duplicates} duplicates, {listener.disorder} out of order"
    )
    holds = all(verdict.holds for verdict in verdicts) and listener.disorder == 0
    print("every OEE is true" if holds else "NOT every OEE is true", flush=True)
    # A visitor who leaves early has not asked for a verdict.
    return 0 if holds or seconds is None else 1


def _start_plant(folder: Path, stack: ExitStack) -> dict[str, Any]:
    plant = str(files("edge_agent_hil") / "plants" / "demo.yaml")
    ready = folder / "plant.json"
    arguments = ("-m", "edge_agent_hil.cli", "serve", plant, "--ready-file", str(ready))
    process = stack.enter_context(_process(folder, "plant", *arguments))
    _wait_for(ready.exists, process, folder / "plant.log", "the plant")
    document: dict[str, Any] = json.loads(ready.read_text())
    return document


def _start_broker(folder: Path, stack: ExitStack) -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = stack.enter_context(_process(folder, "broker", "-m", "edge_agent.demo.broker", str(port)))
    url = f"mqtt://127.0.0.1:{port}"
    _wait_for(lambda: _answers(url), process, folder / "broker.log", "the broker")
    return url


def _answers(url: str) -> bool:
    split = urlsplit(url)
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((split.hostname or "", split.port or 1883)) == 0


def _wait_for(what: Callable[[], bool], process: subprocess.Popen[bytes], log: Path, name: str) -> None:
    end = time.monotonic() + READY_S
    while not what():
        if process.poll() is not None or time.monotonic() > end:
            raise DemoError(f"{name} did not come up; it said:\n{log.read_text()[-2000:]}")
        time.sleep(0.1)


@contextmanager
def _process(folder: Path, name: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A Python process with its output in a file of its name; stopped in good manners at the end."""
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen([sys.executable, *arguments], stdout=log, stderr=log, start_new_session=True)  # noqa: S603
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

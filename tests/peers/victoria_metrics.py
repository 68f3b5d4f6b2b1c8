"""A real VictoriaMetrics on a free loopback port: the InfluxDB v2 write API in front of another engine.

It keeps numbers only (texts are 0, booleans 0 and 1) to the millisecond, answers 204 to whatever it cannot read, and
with `-dedup.minScrapeInterval` one of samples with equal series and time.
"""

from __future__ import annotations

import json
import shutil
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tests.peers.process import Peer
from tests.peers.waiting import free_port

VICTORIA = shutil.which("victoria-metrics")


class VictoriaMetrics(Peer):
    """`with VictoriaMetrics(folder) as server:`; after `stop()` and `start()` it has all it had."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        command = [
            VICTORIA, f"-httpListenAddr=127.0.0.1:{self.port}", f"-storageDataPath={folder / 'victoria'}",
            "-retentionPeriod=100y", "-dedup.minScrapeInterval=1ms", "-memory.allowedBytes=64MB",
        ]  # fmt: skip
        super().__init__(command, listens=self.port)

    def __enter__(self) -> VictoriaMetrics:
        self.start()
        return self

    def stop(self) -> None:
        """As an operator would. Killed it forgets the last seconds it has answered for: that is its own affair."""
        assert self._process is not None
        self._process.terminate()
        self._process.wait(60)
        self.kill()

    def samples(self, match: str) -> dict[str, list[tuple[int, float]]]:
        """(time in ms, value) of every series that matches, by its name; in the order of time."""
        self._get("/internal/force_flush")
        found: dict[str, list[tuple[int, float]]] = {}
        for line in self._get("/api/v1/export", match=match).splitlines():
            told: dict[str, Any] = json.loads(line)
            name = told["metric"]["__name__"]
            found.setdefault(name, []).extend(zip(told["timestamps"], told["values"], strict=True))
        return {name: sorted(values) for name, values in found.items()}

    def _get(self, path: str, **query: str) -> str:
        said = f"?{urlencode({'match[]' if name == 'match' else name: value for name, value in query.items()})}"
        with urllib.request.urlopen(f"{self.url}{path}{said}", timeout=20) as answer:
            return str(answer.read().decode())

"""Fixtures for tests of one's own with pytest: `plant`, `proxy`, `broker`, `agent`. Each is real processes on loopback.

pytest finds them by itself where the package is installed; what they need is imported when they are asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from edge_agent_hil.gateway import Gateway
    from edge_agent_hil.heard_broker import HeardBroker
    from edge_agent_hil.program import PlantProcess, Proxy

LOG_SHOWN = 10_000              # characters, where a test fails


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[Callable[..., PlantProcess]]:
    """`plant(what, seed=None, speed=1)` → `PlantProcess`: simulated machines that run, and know what they did.

    `what` is a plant file, or a mapping that says what one says.
    """
    from edge_agent_hil.program import PlantProcess

    with ExitStack() as stack:

        def start(what: Path | str | Mapping[str, Any], seed: int | None = None, speed: float = 1) -> PlantProcess:
            file = _file(tmp_path, "plant", what)
            return stack.enter_context(PlantProcess(file, seed, speed))

        yield start


@pytest.fixture
def proxy() -> Iterator[Callable[..., Proxy]]:
    """`proxy(target, *faults)` → `Proxy`: a wire before a target, `HOST:PORT` or the URL of a device or a broker."""
    from edge_agent_hil.program import Proxy

    with ExitStack() as stack:

        def start(target: str, *faults: str, seed: int = 1) -> Proxy:
            return stack.enter_context(Proxy(target, *faults, seed=seed))

        yield start


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[HeardBroker]:
    """A `HeardBroker`: an MQTT broker, and all that was published there."""
    from edge_agent_hil.heard_broker import HeardBroker

    heard = HeardBroker(tmp_path / "broker")
    yield heard
    heard.close()


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Callable[..., Gateway]]:
    """`agent(site, disk_mb=0)` → a started `Gateway`; `site` is a mapping that says what a site file says.

    Its `data_dir` is put in, and it serves no API unless told where. Where the test fails, its log is shown.
    """
    from edge_agent_hil.gateway import Gateway

    with ExitStack() as stack:

        def start(site: Mapping[str, Any], disk_mb: int = 0) -> Gateway:
            gateway = Gateway(_fresh(tmp_path, "gateway"), disk_mb=disk_mb)
            stack.callback(gateway.close)
            stack.callback(lambda: print(gateway.log()[-LOG_SHOWN:]))  # noqa: T201
            own = {**site.get("agent", {}), "data_dir": str(gateway.data_dir)}
            _write(gateway.site, {"api": {"listen": "off"}, **site, "agent": own})
            gateway.start()
            return gateway

        yield start


def _file(folder: Path, name: str, what: Path | str | Mapping[str, Any]) -> Path:
    if isinstance(what, Path | str):
        return Path(what)
    path = _fresh(folder, name).with_suffix(".yaml")
    _write(path, what)
    return path


def _fresh(folder: Path, name: str) -> Path:
    """A name that nobody has yet."""
    return folder / f"{name}-{sum(1 for one in folder.iterdir() if one.name.startswith(f'{name}-')) + 1}"


def _write(path: Path, said: Mapping[str, Any]) -> None:
    import yaml

    path.write_text(yaml.safe_dump(dict(said), sort_keys=False, allow_unicode=True), encoding="utf-8")

"""compose.yaml's agent, plant and broker as containers that see each other and nothing else: a number arrives.

The database and Grafana are images of others that cannot be made here; that a destination is away is part of the test.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.podman import BROKER, IMAGE, ROOT, Podman
from tests.peers.waiting import wait_for

pytestmark = pytest.mark.deploy

FOLDER = ROOT / "deploy"
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((FOLDER / "compose.yaml").read_text())["services"]
NAMES = ("agent", "mosquitto", "plant", "influxdb")
NAMED_VOLUMES = ("secrets", "data", "mosquitto")
POD = "stack"
# The pages, as somebody sees them who trusts the certificate that was made for them.
LOOK = """
import ssl, urllib.request
trust = ssl.create_default_context(cafile="/run/secrets/agent/web.pem")
print(urllib.request.urlopen("https://localhost:8443", context=trust, timeout=60).status)
"""


def options(name: str, site: Path) -> list[str]:
    """What compose makes of a service, for one pod whose containers share loopback, and find each other there."""
    service = SERVICES[name]
    hosts = site.parent / "hosts"
    hosts.write_text(f"127.0.0.1 localhost {' '.join(NAMES)}\n")
    told = [f"--name={name}", f"--pod={POD}", "--cap-drop=all", "--security-opt=no-new-privileges"]
    told += [f"--volume={hosts}:/etc/hosts:ro"]
    told += ["--read-only"] if service["read_only"] else []
    told += [f"--cap-add={one}" for one in service.get("cap_add", [])]
    told += [f"--user={service['user']}"] if "user" in service else []
    told += [f"--tmpfs={one.split(':')[0]}:rw,mode=1777" for one in service.get("tmpfs", [])]
    told += [f"--memory={service['mem_limit']}"] if "mem_limit" in service and not _is_small() else []
    for volume in service["volumes"]:
        source, _, rest = volume.replace("${SITE:-./compose/site}", str(site)).partition(":")
        told.append(f"--volume={FOLDER / source if source.startswith('.') else source}:{rest}")
    if "entrypoint" in service:
        told += [f"--entrypoint={json.dumps(service['entrypoint'])}"]
    return told


def _is_small() -> bool:
    """Whether this computer's control groups take no limit."""
    return not Path("/sys/fs/cgroup/memory/memory.limit_in_bytes").exists() and not Path(
        "/sys/fs/cgroup/cgroup.controllers"
    ).exists()


@pytest.fixture(scope="module")
def stack(podman: Podman, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Podman]:
    podman.make_broker()
    site = tmp_path_factory.mktemp("site")
    shutil.copy(FOLDER / "compose" / "site" / "site.yaml", site)
    site.chmod(0o755)
    try:
        podman("pod", "create", f"--name={POD}", "--network=none", "--infra=true")
    except AssertionError as error:
        pytest.skip(f"no pod can be made here: {str(error).strip().splitlines()[-1]}")
    try:
        podman("run", "--rm", *options("secrets", site), IMAGE)
        podman("run", "--detach", *options("plant", site), IMAGE)
        podman("run", "--detach", *options("mosquitto", site), BROKER)
        podman("run", "--detach", *options("agent", site), IMAGE)
        yield podman
    finally:
        podman("pod", "rm", "--force", "--time=0", POD)
        podman("volume", "rm", "--force", *NAMED_VOLUMES)


def status(podman: Podman) -> dict[str, Any]:
    """What the agent says; {} while it does not."""
    try:
        return dict(json.loads(podman("exec", "agent", "edge-agent", "status", "--json")))
    except AssertionError:
        return {}


def stands(said: dict[str, Any]) -> dict[str, Any]:
    """That, if its devices and the broker are connected."""
    lines = [*said.get("devices", {}).values(), said.get("destinations", {}).get("broker", {})]
    return said if all(line.get("state") == "connected" for line in lines) else {}


def test_every_machine_of_the_demo_gets_its_number_and_the_broker_has_it(stack: Podman) -> None:
    def knows() -> dict[str, Any]:
        said = stands(status(stack))
        figures = {one["id"]: one["oee"] for one in said.get("kpis", []) if one["scope"] == "machine"}
        return said if len(figures) == 3 and None not in figures.values() else {}

    said = wait_for(knows, 120, "devices and broker are connected, and each machine has an OEE")
    assert said["destinations"]["history"]["state"] != "connected", "it is not there"
    assert said["counts"]["messages_acknowledged"] > 0


def test_nobody_but_the_agent_reads_the_agents_secrets(stack: Podman) -> None:
    assert stack("exec", "agent", "ls", "/run/secrets/agent")
    for other in ("mosquitto", "influxdb"):
        with pytest.raises(AssertionError, match="Permission denied"):
            stack("exec", "agent", "ls", f"/run/secrets/{other}")


def test_the_pages_are_served_by_tls_and_the_log_has_the_code_that_they_ask_for(stack: Podman) -> None:
    def look() -> bool:
        try:
            return stack("exec", "agent", "python3", "-c", LOOK) == "200"
        except AssertionError:
            return False

    wait_for(look, 60, "the pages answer")
    assert re.search("first visit is [A-Z0-9-]{14}$", stack.logs("agent"), re.MULTILINE)


def test_the_brokers_health_check_finds_it_well(stack: Podman) -> None:
    [_, *check] = SERVICES["mosquitto"]["healthcheck"]["test"]
    stack("exec", "mosquitto", *(word.replace("$$", "$") for word in check))


def test_your_own_site_runs_in_the_place_of_the_demo_and_can_be_saved(stack: Podman, tmp_path: Path) -> None:
    """As the page says: the demo goes with all that it has recorded; the folder belongs to the agent's user."""
    stack("rm", "--force", "--time=60", "agent", "plant")
    stack("volume", "rm", "data")
    yours = shutil.copytree(FOLDER / "compose" / "yours", tmp_path / "yours")
    tmp_path.chmod(0o755)
    for path in (yours, *yours.iterdir()):
        os.chown(path, 10001, 10001)
    stack("run", "--detach", *options("agent", yours), IMAGE)
    there = wait_for(lambda: stands(status(stack)), 120, "its machine and the broker are connected")
    assert there["devices"].keys() == {"toy-1"}
    stack("exec", "agent", "touch", "/etc/edge-agent/site.yaml.new")

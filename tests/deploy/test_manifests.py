"""The files of deploy/ are what those who read them take: schemas, checkers, and the agent itself."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from edge_agent import registry
from edge_agent.config import load
from edge_agent.config.site import Site

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
KUBERNETES = DEPLOY / "kubernetes"
EXAMPLE_OF_A_BROKER = DEPLOY / "broker" / "mosquitto"
SHARDS = sorted((KUBERNETES / "shards").iterdir())
COMPOSES = [DEPLOY / "compose.yaml", DEPLOY / "broker" / "cluster" / "compose.yaml"]
KUSTOMIZE = next((words for words in (["kustomize", "build"], ["kubectl", "kustomize"]) if shutil.which(words[0])), [])
PROMTOOL, SHELLCHECK, ANALYZE = map(shutil.which, ("promtool", "shellcheck", "systemd-analyze"))


def site_of(path: Path, environ: dict[str, str] | None = None) -> Site:
    return load(path, registry.drivers(), registry.publishers(), environ, registry.profiles(), registry.servers())


def checked(*words: object, cwd: Path = ROOT) -> str:
    done = subprocess.run(list(map(str, words)), cwd=cwd, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def documents(text: str) -> Iterator[dict[str, Any]]:
    yield from filter(None, yaml.safe_load_all(text))


# -- Kubernetes ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def rendered() -> list[dict[str, Any]]:
    if not KUSTOMIZE:
        pytest.skip("neither kustomize nor kubectl is installed: the manifests are checked one by one only")
    return list(documents(checked(*KUSTOMIZE, KUBERNETES)))


def parts() -> list[Path]:
    return [path for path in KUBERNETES.rglob("*.yaml") if path.name not in ("kustomization.yaml", "site.yaml")]


@pytest.mark.parametrize("path", parts(), ids=lambda path: path.name)
def test_every_manifest_is_what_kubernetes_takes(path: Path) -> None:
    for document in documents(path.read_text()):
        kubernetes_validate.validate(document, "1.31", strict=True)


def test_every_kustomization_names_files_that_are_there() -> None:
    for path in KUBERNETES.rglob("kustomization.yaml"):
        said = yaml.safe_load(path.read_text())
        files = [*said["resources"], *(file for made in said.get("configMapGenerator", []) for file in made["files"])]
        for name in files:
            assert (path.parent / name).exists(), f"{path}: {name}"


def test_what_is_applied_is_valid_as_a_whole_and_one_agent_a_shard(rendered: list[dict[str, Any]]) -> None:
    for document in rendered:
        kubernetes_validate.validate(document, "1.31", strict=True)
    agents = [one for one in rendered if one["kind"] == "StatefulSet"]
    assert sorted(one["metadata"]["name"] for one in agents) == sorted(f"edge-agent-{shard.name}" for shard in SHARDS)
    configs = {one["metadata"]["name"] for one in rendered if one["kind"] == "ConfigMap"}
    for one in agents:
        assert one["spec"]["replicas"] == 1
        pod = one["spec"]["template"]
        own = {volume["name"]: volume for volume in pod["spec"]["volumes"]}
        assert own["site"]["configMap"]["name"] in configs, "its own site file, under its own hash"
        assert one["spec"]["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
        [container] = pod["spec"]["containers"]
        assert container["securityContext"]["readOnlyRootFilesystem"]
        assert [source["secretRef"]["name"] for source in container["envFrom"]] == [one["metadata"]["name"]], "its own"
        assert all(container[probe]["exec"] for probe in ("startupProbe", "livenessProbe", "readinessProbe"))
    selectors = [one["spec"]["selector"]["matchLabels"] for one in agents]
    assert len({tuple(sorted(labels.items())) for labels in selectors}) == len(SHARDS), "each selects its own pods"
    [budget] = [one for one in rendered if one["kind"] == "PodDisruptionBudget"]
    assert all(budget["spec"]["selector"]["matchLabels"].items() <= labels.items() for labels in selectors)


@pytest.mark.parametrize("shard", SHARDS, ids=lambda shard: shard.name)
def test_the_site_file_of_each_shard_is_right_and_its_agent_has_its_name(shard: Path) -> None:
    environ = dict.fromkeys(re.findall(r"\$\{(\w+)\}", (shard / "site.yaml").read_text()), "secret-of-the-test")
    assert site_of(shard / "site.yaml", environ).agent.id == shard.name


def test_no_two_shards_have_an_agent_or_a_device_in_common() -> None:
    said = [yaml.safe_load((shard / "site.yaml").read_text()) for shard in SHARDS]
    for named in ([one["agent"]["id"] for one in said], [device for one in said for device in one["devices"]]):
        assert len(set(named)) == len(named)


# -- compose -------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", COMPOSES, ids=lambda path: path.parent.name)
def test_every_compose_file_is_as_its_specification_says(path: Path) -> None:
    checked(sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", path)


def test_every_service_is_bounded_and_may_do_nothing_that_it_does_not_do() -> None:
    services = yaml.safe_load(COMPOSES[0].read_text())["services"]
    assert {"agent", "mosquitto", "influxdb", "plant"} <= services.keys()
    for name, service in services.items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert "no-new-privileges:true" in service["security_opt"], name
        assert name == "secrets" or service["mem_limit"], name
        assert "build" in service or service["image"] != "edge-agent" or service["pull_policy"] == "never", name
        for port in service.get("ports", []):
            assert port.startswith("${BIND:-127.0.0.1}:"), f"{name}: {port} is open to everybody"
    assert services["plant"]["profiles"] == ["demo"]


def test_every_file_that_compose_mounts_is_there() -> None:
    for path in COMPOSES:
        for service in yaml.safe_load(path.read_text())["services"].values():
            for volume in service.get("volumes", []):
                source = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", volume).split(":")[0]
                assert not source.startswith(".") or (path.parent / source).exists(), volume


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What prepare.py makes; not as root, nobody is given anything."""
    folder = tmp_path_factory.mktemp("secrets")
    again = f"import os, runpy, sys; os.chown = lambda *_: None; sys.argv = ['prepare.py', {str(folder)!r}]; "
    code = again + f"runpy.run_path({str(DEPLOY / 'compose' / 'prepare.py')!r}, run_name='__main__')"
    for _ in range(2):
        subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "NAMES": "gw-9"}, timeout=60)
    return folder


def prepared(name: str, secrets: Path, folder: Path) -> Site:
    """The site file of that folder of compose/, with what is prepared for it."""
    path = folder / "site.yaml"
    path.write_text((DEPLOY / "compose" / name / "site.yaml").read_text().replace("/run/secrets", str(secrets)))
    return site_of(path)


def test_a_site_of_ones_own_begins_with_what_compose_prepares(secrets: Path, tmp_path: Path) -> None:
    demo, yours = (prepared(name, secrets, tmp_path) for name in ("site", "yours"))
    assert yours.machines.keys() == {"toy-1"}
    assert yours.pages == demo.pages
    for name, kept in yours.publish.items():
        said = {key for key, value in kept.model_dump().items() if value != demo.publish[name].model_dump()[key]}
        assert said <= {"commands"}, "only the demo may be moved from outside"


def test_compose_prepares_what_its_site_file_asks_for(secrets: Path, tmp_path: Path) -> None:
    site = prepared("site", secrets, tmp_path)
    assert {"press-1", "press-2", "cnc-7"} == site.machines.keys()
    plant = yaml.safe_load((DEPLOY / "compose" / "plant.yaml").read_text())["machines"]
    for name, device in site.devices.items():
        assert device.addresses()[0].split("//")[1].startswith("plant:")
        face = plant[name].get("modbus") or plant[name]["opcua"]
        assert set(device.tags) <= face["tags"].keys()


def test_what_is_prepared_stays_the_same_and_is_nobody_elses(secrets: Path) -> None:
    kept = {path: path.read_bytes() for path in secrets.rglob("*") if path.is_file()}
    words = ("password", "mqtt-password", "plant-password", "token")
    assert len({kept[path] for path in kept if path.name in words}) == 5
    for path in kept:
        assert path.stat().st_mode & 0o007 == 0 or path.name.endswith(".pem"), path
    assert (secrets / "agent" / "influxdb-token").read_text() == (secrets / "influxdb" / "token").read_text()


# -- the others ----------------------------------------------------------------------------------


@pytest.mark.skipif(not PROMTOOL, reason="promtool is not installed; alerts are not checked")
def test_the_alerts_come_when_they_should() -> None:
    folder = DEPLOY / "prometheus"
    checked("promtool", "check", "rules", "alerts.yaml", cwd=folder)
    checked("promtool", "test", "rules", "alerts_test.yaml", cwd=folder)
    checked("promtool", "check", "config", "--syntax-only", "prometheus.yaml", cwd=folder)


def test_every_alert_says_what_to_do() -> None:
    [group] = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yaml").read_text())["groups"]
    for rule in group["rules"]:
        assert rule["labels"]["severity"] in ("critical", "warning", "info")
        assert rule["annotations"].keys() == {"summary", "action"}


@pytest.mark.skipif(not SHELLCHECK, reason="shellcheck is not installed")
def test_the_scripts_are_clean() -> None:
    scripts = [DEPLOY / "install.sh", EXAMPLE_OF_A_BROKER / "certificate.sh", ROOT / "tests" / "deploy" / "install.sh"]
    checked("shellcheck", "--shell=sh", *scripts)


def test_the_installer_says_what_it_can_do_and_does_nothing_that_it_does_not_know() -> None:
    said = checked("sh", DEPLOY / "install.sh", "--help")
    assert all(word in said for word in ("install.sh rollback", "install.sh remove", "/etc/edge-agent"))
    wrong = subprocess.run(["sh", DEPLOY / "install.sh", "upgrade"], capture_output=True, text=True, check=False)
    assert wrong.returncode != 0
    assert "upgrade" in wrong.stderr


@pytest.mark.skipif(not ANALYZE, reason="systemd-analyze is not installed")
def test_the_service_is_as_little_exposed_as_the_page_says(tmp_path: Path) -> None:
    unit = tmp_path / "edge-agent.service"
    unit.write_text((DEPLOY / "systemd" / "edge-agent.service").read_text())
    said = checked("systemd-analyze", "security", "--offline=true", "--no-pager", unit)
    exposure = float(re.findall(r"Overall exposure level for edge-agent.service: ([\d.]+)", said)[0])
    assert exposure <= 2.5
    assert f"an exposure of {exposure}." in (DEPLOY / "README.md").read_text()


def test_a_gateways_first_site_file_is_right_once_it_has_a_name(tmp_path: Path) -> None:
    text = (DEPLOY / "systemd" / "site.yaml").read_text()
    filled = text.replace("${ID}", "gw-1").replace("${ZONE}", "Europe/Berlin").replace("$${", "${")
    assert "${" not in re.sub(r"#.*", "", filled)
    path = tmp_path / "site.yaml"
    path.write_text(filled)
    assert site_of(path).agent.timezone == "Europe/Berlin"


def test_the_dashboard_is_one_that_grafana_can_place() -> None:
    dashboard = json.loads((DEPLOY / "grafana" / "dashboard.json").read_text())
    taken = set()
    for panel in dashboard["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert at["x"] + at["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells
        assert {target["datasource"]["uid"] for target in panel["targets"]} == {"edge-agent"}
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])


def test_nothing_in_the_deployment_has_a_password() -> None:
    known = re.compile(r"(?i)(password|token|secret)\w*\s*[:=]\s*['\"]?([A-Za-z0-9+]{8,})\s*['\"]?$")
    for path in DEPLOY.rglob("*"):
        if path.is_file() and path.suffix in (".yaml", ".env", ".service", ".conf", ".sh"):
            assert not [line for line in path.read_text().splitlines() if known.search(line)], path

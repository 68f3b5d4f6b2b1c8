"""The bundle's bill of materials: each wheel with its hash, licence and what it needs, as CycloneDX 1.6."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterable, Sequence
from email.message import Message
from email.parser import BytesParser
from functools import cached_property
from pathlib import Path

from cyclonedx.factory.license import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename


class Wheel:
    """A wheel on disk, and what it says of itself."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name, version, _, _ = parse_wheel_filename(path.name)
        self.version = str(version)

    @cached_property
    def sha256(self) -> str:
        """Of the file."""
        return hashlib.sha256(self.path.read_bytes()).hexdigest()

    @cached_property
    def metadata(self) -> Message:
        """Its core metadata."""
        with zipfile.ZipFile(self.path) as archive:
            [name] = [one for one in archive.namelist() if one.endswith(".dist-info/METADATA") and one.count("/") == 1]
            return BytesParser().parsebytes(archive.read(name))

    @property
    def requires(self) -> Sequence[str]:
        """Its requirements as they are written, those of extras with their markers."""
        return self.metadata.get_all("Requires-Dist") or []

    @property
    def licence(self) -> str:
        """As an SPDX expression if it says so, else in its own words; '' if it does not say."""
        told = self.metadata.get("License-Expression") or self.metadata.get("License") or ""
        if "\n" not in told.strip() and told.strip() not in ("", "UNKNOWN"):
            return told.strip()
        classified = [one for one in self.metadata.get_all("Classifier") or [] if one.startswith("License ::")]
        return classified[0].rpartition(" :: ")[2] if classified else ""


def write_sbom(path: Path, agent: Wheel, wheels: Iterable[Wheel]) -> None:
    """One component a wheel; the agent is what the bill is of."""
    bom = Bom()
    components = {(wheel.name, wheel.version, wheel.path.name): _component(wheel) for wheel in [agent, *wheels]}
    of_name: dict[str, list[Component]] = {}
    for (name, _, _), component in components.items():
        of_name.setdefault(name, []).append(component)
    bom.metadata.component = components[agent.name, agent.version, agent.path.name]
    bom.components.update(one for one in components.values() if one is not bom.metadata.component)
    for wheel in [agent, *wheels]:
        needed = {canonicalize_name(Requirement(text).name) for text in wheel.requires}
        targets = [one for name in sorted(needed) for one in of_name.get(name, [])]
        bom.register_dependency(components[wheel.name, wheel.version, wheel.path.name], targets)
    path.write_text(JsonV1Dot6(bom).output_as_string(indent=1) + "\n")


def _component(wheel: Wheel) -> Component:
    kind = ComponentType.APPLICATION if wheel.name == "edge-agent" else ComponentType.LIBRARY
    return Component(
        type=kind,
        name=wheel.name,
        version=wheel.version,
        bom_ref=wheel.path.name,
        purl=PackageURL("pypi", None, wheel.name, wheel.version, {"file_name": wheel.path.name}),
        description=wheel.metadata.get("Summary"),
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=wheel.sha256)],
        licenses=[LicenseFactory().make_from_string(wheel.licence)] if wheel.licence else [],
    )

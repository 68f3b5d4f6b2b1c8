"""What engineers set up through the API: certificates, secrets, looking at equipment, the site file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fastapi import FastAPI

from edge_agent.api import DriverPlugin
from edge_agent.web.browse import Looker
from edge_agent.web.browse_routes import add_browse
from edge_agent.web.certificates import Approvals, add_certificates
from edge_agent.web.config_routes import add_config
from edge_agent.web.people_routes import Noted
from edge_agent.web.secrets import Secrets, add_secrets
from edge_agent.web.site_file import SiteFile
from edge_agent.web.templates import add_templates


@dataclass(frozen=True, slots=True)
class SettingUp:
    """What the routes stand on; `site_file` None: the agent has none, so nothing of it can be changed."""

    looker: Looker
    approvals: Approvals
    secrets: Secrets
    drivers: Mapping[str, DriverPlugin]
    site_file: SiteFile | None = None


def add_setting_up(app: FastAPI, parts: SettingUp, noted: Noted) -> None:
    """Add the routes to the application."""
    add_browse(app, parts.looker)
    add_certificates(app, parts.approvals, noted)
    add_secrets(app, parts.secrets, noted)
    add_templates(app, parts.drivers)
    if parts.site_file is not None:
        add_config(app, parts.site_file, noted)

"""Agents of tests leave port 8080 alone: several run on one machine at a time."""

from __future__ import annotations


def without_api(site: str) -> str:
    """The text of a site file with its HTTP API off, unless it says something about it itself."""
    return site if "\napi:" in site else f"{site.rstrip()}\napi: {{listen: off}}\n"

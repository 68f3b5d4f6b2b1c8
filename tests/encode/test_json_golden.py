"""The profile `json`, byte by byte."""

from __future__ import annotations

from edge_agent.encode.json_profile import JsonProfile
from tests.encode.scene import compare_with_golden


def test_the_golden_payloads_are_what_the_profile_says() -> None:
    compare_with_golden("json", JsonProfile("edge/acme/suzhou/machining/gw-01", "gw-01", "0.1.0"))

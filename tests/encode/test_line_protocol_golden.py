"""The profile `line-protocol`, byte by byte."""

from __future__ import annotations

from edge_agent.encode.line_protocol import LineProtocolProfile
from tests.encode.scene import SCENE, compare_with_golden


def test_the_golden_payloads_are_what_the_profile_says() -> None:
    compare_with_golden("line-protocol", LineProtocolProfile("edge/acme/suzhou/machining/gw-01", SCENE))

"""What each cloud profile makes of the small plant, byte by byte."""

from __future__ import annotations

import pytest

from tests.encode.cloud_profiles import PLUGINS, profile
from tests.encode.scene import compare_with_golden


@pytest.mark.parametrize("name", PLUGINS)
def test_the_golden_payloads(name: str) -> None:
    compare_with_golden(name, profile(name))

"""For all tests: a slow machine is no fault of what is tested, and a run is red because of what changed.

Properties are tried with the same examples every time. `make explore` tries others, many more of them.
"""

import os

from hypothesis import HealthCheck, settings

PLANT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("plant", PLANT, derandomize=True)
settings.register_profile("explore", PLANT, print_blob=True)
settings.load_profile("plant")

# Agents of tests start no pages beside them; a test that is about those says otherwise.
os.environ.setdefault("EDGE_AGENT_PAGES", "off")

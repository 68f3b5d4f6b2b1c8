"""The key `kpis` of profiles that tell figures one by one."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from edge_agent.encode.chosen_kpis import DEFAULT, check_names


def _known(names: tuple[str, ...]) -> tuple[str, ...]:
    check_names(names)
    return names


Kpis = Annotated[tuple[str, ...], AfterValidator(_known), Field(default=DEFAULT)]

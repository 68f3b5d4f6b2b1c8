"""`machines.<id>.operator`: who may say what state a machine was in, and why, beside what it tells itself."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from edge_agent.api import StrictModel


class OperatorModel(StrictModel):
    """What people may say of the machine; without this section nobody may."""

    through: Annotated[tuple[Literal["mqtt", "api"], ...], Field(min_length=1)] = ("mqtt", "api")
    """which ways it may come; default both"""
    names: Literal["pseudonym", "plain", "none"] = "pseudonym"
    """how who said it is kept: pseudonym (the same for the same name, made with a key of this agent) | plain | none"""

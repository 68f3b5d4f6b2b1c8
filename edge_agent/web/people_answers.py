"""What the API takes and answers about people: logging in, who may, and the audit log."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from edge_agent.web.answers import Answer
from edge_agent.web.door import Right
from edge_agent.web.people import LONGEST, Role

Name = Annotated[str, Field(min_length=1, max_length=64)]
Password = Annotated[str, Field(min_length=1, max_length=LONGEST)]


class _Strict(Answer):
    model_config = ConfigDict(use_attribute_docstrings=True, extra="forbid", strict=True)


class Login(_Strict):
    """Name and password of somebody."""

    user: Name
    password: Password


class FirstVisit(Login):
    """The first engineer, who has seen the code on the agent's console or in its log."""

    code: Annotated[str, Field(max_length=64)]


class NewPassword(_Strict):
    """One's own password."""

    old: Password
    new: Password


class UserRequest(_Strict):
    """Somebody new, or a change of somebody."""

    user: Name
    role: Role
    password: Password | None = None
    """without it, it stays"""


class Me(Answer):
    """Who asks, and what they may."""

    user: str | None
    """null: nobody has logged in"""
    role: str | None
    """viewer, operator, engineer; token"""
    may: list[Right]
    """read; say (reasons, states); write (to equipment); configure (site file, certificates, people)"""
    csrf: str | None
    """to be sent back in the header X-CSRF-Token with whatever changes something"""
    first_visit: bool
    """nobody can log in yet: POST /api/v1/first-user with the code on the agent's console"""
    reading_is_open: bool
    """whoever reaches the API may look"""
    agent: str
    version: str
    language: Literal["en", "zh"]
    """of the site file"""
    timezone: str
    place: dict[str, str]
    """enterprise, site, area: those that are named"""


class UserAnswer(Answer):
    """Somebody who may log in."""

    user: str
    role: Role


class UsersAnswer(Answer):
    """Everybody who may log in, by name."""

    users: list[UserAnswer]


class Done(Answer):
    """It is done."""

    ok: bool = True


class AuditAnswer(Answer):
    """What was changed, or refused, and by whom; the newest first."""

    total: int
    offset: int
    limit: int
    entries: list[dict[str, Any]]
    """n (its number), time, step, who, through, and what it was about; see the README"""

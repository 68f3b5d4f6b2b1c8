"""Secrets that somebody types on a page: each a file of the agent's own that the site file names and nobody reads back.

    data_dir/secrets/cnc-7-password     mode 0600, in a folder of mode 0700

A secret never changes: another one of the same name gets a number behind it, so that an earlier version of the site
file that names the first still means it.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Annotated, Final

from fastapi import FastAPI
from pydantic import Field, SecretStr
from starlette.exceptions import HTTPException

from edge_agent.web.answers import Answer, Failure
from edge_agent.web.config_routes import Engineer, Strict
from edge_agent.web.people_routes import Noted
from edge_agent.web.refusals import CHANGES, Responses

FOLDER: Final = "secrets"
# A few for each device and destination; who types more is a program.
MOST: Final = 1_000
_LONGEST: Final = 4_096
_NO: Final[Responses] = {**CHANGES, **{status: {"model": Failure} for status in (409, 503, 507)}}


class SecretRequest(Strict):
    """A secret to keep."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
    """what it is for, such as `cnc-7-password`"""
    value: Annotated[SecretStr, Field(min_length=1, max_length=_LONGEST)]
    """without a line's end at its end"""


class SecretAnswer(Answer):
    """It is kept."""

    reference: str
    """what a site file says in its place: `${file:/var/lib/edge-agent/secrets/cnc-7-password}`"""


class TooMany(Exception):
    """There are `MOST` of them."""


class Secrets:
    """The folder. Everything blocks: called in a thread, one call at a time."""

    def __init__(self, data_dir: Path) -> None:
        self.folder = data_dir.absolute() / FOLDER

    def keep(self, name: str, value: bytes) -> Path:
        """Write it under that name, or the first with a number behind it that is free. OSError, TooMany."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if sum(1 for _ in self.folder.iterdir()) >= MOST:
            raise TooMany
        names = (name if n == 1 else f"{name}-{n}" for n in range(1, MOST + 2))
        path = next(path for one in names if not (path := self.folder / one).exists())
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(fd, "wb") as file:
                file.write(value)
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            path.unlink(missing_ok=True)
            raise
        return path


def add_secrets(app: FastAPI, secrets: Secrets, noted: Noted) -> None:
    """Add the route."""
    one = asyncio.Lock()

    @app.post("/api/v1/secrets", responses=_NO)
    async def keep(body: SecretRequest, who: Engineer) -> SecretAnswer:
        """Keep a secret for the site file to name (engineers); nobody reads it back."""
        said = body.value.get_secret_value()
        try:
            value = said.encode()
        except UnicodeEncodeError:
            raise HTTPException(422, "value: is no text") from None
        if said != said.rstrip("\r\n") or "\0" in said:
            raise HTTPException(422, "value: ends with the end of a line, which would not be read again")
        if "{" in str(secrets.folder) or "}" in str(secrets.folder):
            raise HTTPException(409, f"a site file cannot name a file in {secrets.folder}: its name has braces")
        if trouble := await noted("secret", who.name, body.name):
            raise HTTPException(503, f"the audit log cannot be written ({trouble}), so nothing is kept")
        try:
            async with one:
                path = await asyncio.to_thread(secrets.keep, body.name, value)
        except TooMany:
            raise HTTPException(409, f"{MOST} secrets are kept already in {secrets.folder}; remove some") from None
        except OSError as error:
            raise HTTPException(507, f"it cannot be kept: {error.strerror or error}") from None
        return SecretAnswer(reference=f"${{file:{path}}}")

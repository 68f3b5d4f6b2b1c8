"""`/api/v1/config`: the site file looked at, judged, exchanged and rolled back by engineers."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Coroutine
from typing import Annotated, Any, Final

from fastapi import Depends, FastAPI, Path
from pydantic import ConfigDict, Field
from starlette.exceptions import HTTPException

from edge_agent.checked import Checked
from edge_agent.errors import Mistake
from edge_agent.web.answers import Answer, Failure
from edge_agent.web.door import Who, may
from edge_agent.web.people_routes import Noted
from edge_agent.web.refusals import CHANGES, NO_SUCH, Responses
from edge_agent.web.site_file import (
    LONGEST,
    Applied,
    Changed,
    NotKept,
    SiteFile,
    Unknown,
    Unreadable,
    difference,
    parts_that_differ,
)
from edge_agent.web.versions import Version, sha256

_NO: Final[Responses] = {
    **CHANGES, **NO_SUCH, **{status: {"model": Failure} for status in (412, 503, 507)},
}  # fmt: skip
Engineer = Annotated[Who, Depends(may("configure"))]

Text = Annotated[str, Field(max_length=LONGEST)]
Etag = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
N = Annotated[int, Path(ge=1, le=999_999)]


class Strict(Answer):
    """A body without anything else in it."""

    model_config = ConfigDict(use_attribute_docstrings=True, extra="forbid")


class ConfigAnswer(Answer):
    """The site file as it is now."""

    file: str
    text: str
    etag: str
    """of the text; a change names it, so that nobody undoes what they have not seen"""


class CheckRequest(Strict):
    """A text to judge."""

    text: Text


class MistakeAnswer(Answer):
    """Something wrong in it: where, what was written, and what would be right."""

    file: str
    line: int
    key: str
    value: str
    message: str
    hint: str


class CheckAnswer(Answer):
    """What is to be said of a text."""

    ok: bool
    mistakes: list[MistakeAnswer]
    warnings: list[str]
    """right, but should be known"""
    diff: str
    """against the file, a unified diff"""
    differs: list[str]
    """what reads differently: `devices.press-1`, `journal`"""
    anew: list[str]
    """what of that which runs begins anew when it is applied: `publish.scada`; `agent`: all of it"""


class ApplyRequest(Strict):
    """A text to put in force."""

    text: Text
    etag: Etag
    note: Annotated[str, Field(max_length=200)] = ""
    """what it is for; kept with the version"""


class RollbackRequest(Strict):
    """An earlier version to put in force again."""

    n: Annotated[int, Field(ge=1, le=999_999)]
    etag: Etag


class AppliedAnswer(Answer):
    """What became of it."""

    ok: bool
    error: str | None
    etag: str
    """of the file as it is now"""
    version: int | None
    mistakes: list[MistakeAnswer]


class VersionAnswer(Answer):
    """A text that was in force once."""

    n: int
    at: str
    who: str
    note: str
    bytes: int
    current: bool


class VersionsAnswer(Answer):
    """The newest first."""

    versions: list[VersionAnswer]


class VersionText(Answer):
    """One of them."""

    n: int
    text: str
    diff: str
    """from the file as it is now to this text"""


def add_config(app: FastAPI, site_file: SiteFile, noted: Noted) -> None:
    """Add the routes."""
    _add_looking(app, site_file)

    @app.post("/api/v1/config/apply", responses=_NO)
    async def apply(body: ApplyRequest, who: Engineer) -> AppliedAnswer:
        """Put a text in force without a restart, the old one kept (engineers); 412 if the file has changed since."""
        what = f"apply {sha256(body.text)[:12]} in place of {body.etag[:12]} {body.note}".strip()
        return await _carried_out(noted, who, what, site_file.apply(body.text, body.etag, who.name, body.note))

    @app.post("/api/v1/config/rollback", responses=_NO)
    async def rollback(body: RollbackRequest, who: Engineer) -> AppliedAnswer:
        """Put an earlier text in force again (engineers)."""
        what = f"back to version {body.n} in place of {body.etag[:12]}"
        return await _carried_out(noted, who, what, site_file.rollback(body.n, body.etag, who.name))


def _add_looking(app: FastAPI, site_file: SiteFile) -> None:
    @app.get("/api/v1/config", responses=_NO)
    async def config(_: Engineer) -> ConfigAnswer:
        """The site file (engineers)."""
        text = await _text(site_file)
        return ConfigAnswer(file=str(site_file.path), text=text, etag=sha256(text))

    @app.post("/api/v1/config/check", responses=_NO)
    async def check(body: CheckRequest, _: Engineer) -> CheckAnswer:
        """What is wrong with a text, and what it would change (engineers). Nothing changes."""
        judged, old = await site_file.check(body.text), await _text(site_file)
        return await asyncio.to_thread(_checked, judged, old, body.text, site_file.path.name)

    @app.get("/api/v1/config/versions", responses=_NO)
    async def versions(_: Engineer) -> VersionsAnswer:
        """Texts that were in force (engineers)."""
        now, found = sha256(await _text(site_file)), await site_file.versions()
        current = next((one.n for one in found if one.sha256 == now), None)
        return VersionsAnswer(versions=[_version(one, one.n == current) for one in found])

    @app.get("/api/v1/config/versions/{n}", responses=_NO)
    async def version(n: N, _: Engineer) -> VersionText:
        """One of them (engineers)."""
        text, now = await _kept(site_file.version(n)), await _text(site_file)
        return VersionText(n=n, text=text, diff=await asyncio.to_thread(difference, now, text, site_file.path.name))


async def _carried_out(noted: Noted, who: Who, what: str, change: Coroutine[Any, Any, Applied]) -> AppliedAnswer:
    """Into the audit log before it is done, and once more where it came to nothing."""
    with contextlib.closing(change):
        if trouble := await noted("config", who.name, what):
            raise HTTPException(503, f"the audit log cannot be written ({trouble}), so nothing is changed")
        try:
            done: Applied = await _kept(change)
        except HTTPException as error:
            await noted("refused", who.name, f"{what}: {error.detail}")
            raise
    if done.mistakes:
        await noted("refused", who.name, f"{what}: {len(done.mistakes)} mistakes")
    return _applied(done)


async def _text(site_file: SiteFile) -> str:
    text: str = await _kept(site_file.text())
    return text


async def _kept(what: Awaitable[Any]) -> Any:
    try:
        return await what
    except Unreadable as error:
        raise HTTPException(404, str(error)) from None
    except Unknown as error:
        raise HTTPException(404, str(error)) from None
    except Changed as error:
        raise HTTPException(412, str(error)) from None
    except NotKept as error:
        raise HTTPException(507, str(error)) from None


def _checked(judged: Checked, old: str, text: str, name: str) -> CheckAnswer:
    return CheckAnswer(
        ok=judged.site is not None,
        mistakes=list(map(_mistake, judged.mistakes)),
        warnings=list(judged.warnings),
        diff=difference(old, text, name),
        differs=parts_that_differ(old, text),
        anew=list(judged.anew),
    )


def _mistake(one: Mistake) -> MistakeAnswer:
    return MistakeAnswer(file=one.file, line=one.line, key=one.key, value=one.value, message=one.message, hint=one.hint)


def _applied(done: Applied) -> AppliedAnswer:
    return AppliedAnswer(
        ok=not (done.error or done.mistakes),
        error=done.error or None,
        etag=done.etag,
        version=done.version.n if done.version else None,
        mistakes=list(map(_mistake, done.mistakes)),
    )


def _version(one: Version, current: bool) -> VersionAnswer:
    return VersionAnswer(n=one.n, at=one.at, who=one.who, note=one.note, bytes=one.bytes, current=current)

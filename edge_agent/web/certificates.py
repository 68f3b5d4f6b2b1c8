"""The agent's certificates as the API shows them, and whom among servers it trusts."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

from fastapi import FastAPI
from fastapi import Path as FromPath
from starlette.exceptions import HTTPException

from edge_agent.api import AccessDenied, Certificate, Certificates, DriverPlugin, Refused
from edge_agent.web.answers import Answer, Failure
from edge_agent.web.config_routes import Engineer, Strict
from edge_agent.web.people_routes import Noted
from edge_agent.web.refusals import CHANGES, NO_SUCH, Responses

_NO: Final[Responses] = {**CHANGES, **NO_SUCH, **{status: {"model": Failure} for status in (409, 503)}}


class CertificateRow(Answer):
    """A certificate of the agent's PKI folder."""

    place: str
    """own, trusted, issuers, rejected"""
    fingerprint: str
    """SHA-256"""
    thumbprint: str
    """SHA-1, as many servers show it"""
    subject: str
    uri: str
    names: list[str]
    begins: str | None
    ends: str | None
    days: int | None
    """until it ends, negative if it has"""
    remarks: list[str]


class CertificatesAnswer(Answer):
    """Ours first; empty where no driver has certificates."""

    certificates: list[CertificateRow]


class ApprovalRequest(Strict):
    """Whether to trust it."""

    trust: bool


class ApprovalAnswer(Answer):
    """What became of it."""

    certificates: list[CertificateRow]
    advice: list[str]


class NotApproved(Exception):
    """Why it could not be; `status` is the HTTP status that says so."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Approvals:
    """The certificates of servers, and whom to trust. Everything blocks on the disk: called in a thread."""

    def __init__(self, data_dir: Path, drivers: Mapping[str, DriverPlugin]) -> None:
        self._folder = data_dir / "pki"
        self._drivers = drivers

    def all(self) -> CertificatesAnswer:
        """Ours first."""
        tools, now = self._tools(), datetime.now(UTC)
        found = [] if tools is None else tools.entries(self._folder, now)
        return CertificatesAnswer(certificates=_rows(found, now))

    def set(self, fingerprint: str, trust: bool) -> ApprovalAnswer:
        """Approve a server's certificate, or take the approval back. NotApproved."""
        tools, now = self._tools(), datetime.now(UTC)
        if tools is None:
            raise NotApproved(404, "no driver of this agent has certificates")
        known = {one.fingerprint for one in tools.entries(self._folder, now)}
        if fingerprint not in known:
            raise NotApproved(404, f"there is no certificate {fingerprint[:16]}…")
        try:
            if trust:
                done = tools.trust(self._folder, fingerprint, False, now)
            else:
                done = tools.reject(self._folder, fingerprint, now)
        except (ValueError, Refused, AccessDenied) as error:
            raise NotApproved(409, str(error)) from error
        return ApprovalAnswer(certificates=_rows(done.certificates, now), advice=list(done.advice))

    def _tools(self) -> Certificates | None:
        return next((one.certificates for one in self._drivers.values() if one.certificates is not None), None)


def _rows(found: Sequence[Certificate], now: datetime) -> list[CertificateRow]:
    return [
        CertificateRow(
            place=one.place,
            fingerprint=one.fingerprint,
            thumbprint=one.thumbprint,
            subject=one.subject or str(one.file),
            uri=one.uri,
            names=list(one.names),
            begins=_iso(one.begins),
            ends=_iso(one.ends),
            days=None if one.ends is None else (one.ends - now).days,
            remarks=list(one.remarks),
        )
        for one in found
    ]


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="seconds")


def add_certificates(app: FastAPI, approvals: Approvals, noted: Noted) -> None:
    """Add the routes."""

    @app.get("/api/v1/certificates")
    async def certificates() -> CertificatesAnswer:
        """The agent's own certificate and those of servers, approved or not."""
        return await asyncio.to_thread(approvals.all)

    @app.post("/api/v1/certificates/{fingerprint}", responses=_NO)
    async def approve(
        fingerprint: Annotated[str, FromPath(pattern=r"^[0-9a-f]{64}$", description="SHA-256")],
        body: ApprovalRequest,
        who: Engineer,
    ) -> ApprovalAnswer:
        """Approve a server's certificate, or take the approval back (engineers)."""
        step = "trust" if body.trust else "distrust"
        if trouble := await noted(step, who.name, fingerprint):
            raise HTTPException(503, f"the audit log cannot be written ({trouble}), so nothing is changed")
        try:
            return await asyncio.to_thread(approvals.set, fingerprint, body.trust)
        except NotApproved as error:
            raise HTTPException(error.status, str(error)) from None

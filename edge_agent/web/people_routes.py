"""The routes of people: logging in and out, the first visit, who there is, and what was changed by whom."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated, Any, Final

from fastapi import Depends, FastAPI, Path, Query, Request, Response
from starlette.exceptions import HTTPException

from edge_agent import __version__
from edge_agent.config.site import AgentModel
from edge_agent.web import answers
from edge_agent.web.door import COOKIE, RIGHTS, Door, Lobby, Right, Who, address_of, may
from edge_agent.web.guesses import Forbidden
from edge_agent.web.people import Crowded, Person, Unwelcome
from edge_agent.web.people_answers import (
    AuditAnswer,
    Done,
    FirstVisit,
    Login,
    Me,
    NewPassword,
    UserAnswer,
    UserRequest,
    UsersAnswer,
)
from edge_agent.web.refusals import CHANGES, NO_SUCH, PAGE, Responses
from edge_agent.web.sessions import LONGEST_S

log = logging.getLogger(__name__)

Noted = Callable[[str, str, str], Awaitable[str]]
"""`noted(step, who, what)`: into the audit log; '' once that is durable, else why it cannot be."""
Entries = Callable[[int, int], tuple[int, list[dict[str, Any]]]]
"""`entries(offset, limit)`: how many lines the audit log has, and some of them, the newest first; blocks."""

_LOGIN: Final[Responses] = {**CHANGES, 503: {"model": answers.Failure}}


def add_people(app: FastAPI, agent: AgentModel, door: Door, noted: Noted, entries: Entries) -> None:
    """Add them to the application."""
    _add_session(app, agent, door, noted)
    _add_first(app, agent, door, noted)
    _add_password(app, door.lobby, noted)
    _add_users(app, door.lobby, noted)

    one = asyncio.Semaphore(1)

    @app.get("/api/v1/audit", responses=CHANGES)
    async def audit(
        _: Annotated[Who, Depends(may("configure"))],
        limit: Annotated[int, Query(ge=1, le=PAGE)] = 100,
        offset: Annotated[int, Query(ge=0, le=1_000_000_000)] = 0,
    ) -> AuditAnswer:
        """What was changed, or refused, and by whom."""
        async with one:     # the log may have 100 MB
            total, shown = await asyncio.to_thread(entries, offset, limit)
        return AuditAnswer(total=total, offset=offset, limit=limit, entries=shown)


def _add_session(app: FastAPI, agent: AgentModel, door: Door, noted: Noted) -> None:
    lobby = door.lobby

    @app.get("/api/v1/me")
    async def me(request: Request) -> Me:
        """Who asks, and what they may; also for those who have not logged in."""
        return _me(agent, door, door.known(request))

    @app.post("/api/v1/login", responses=_LOGIN)
    async def login(request: Request, response: Response, body: Login) -> Me:
        """Begin a session, in a cookie that scripts cannot read."""
        person = await _checked(lobby, body.user, body.password, request)
        await noted("login", person.name, f"from {address_of(request)}")
        lobby.sessions.end(request.cookies.get(COOKIE, ""))
        return await _enter(agent, door, response, person)

    @app.post("/api/v1/logout", responses=CHANGES)
    async def logout(request: Request, response: Response, who: Annotated[Who, Depends(may("read"))]) -> Done:
        """End the session."""
        lobby.sessions.end(request.cookies.get(COOKIE, ""))
        await lobby.sessions.keep()
        response.delete_cookie(COOKIE, path="/", secure=door.secure, httponly=True, samesite="strict")
        if who.session:
            await noted("logout", who.name, f"from {address_of(request)}")
        return Done()


def _add_first(app: FastAPI, agent: AgentModel, door: Door, noted: Noted) -> None:
    lobby = door.lobby

    @app.post("/api/v1/first-user", responses=_LOGIN)
    async def first(request: Request, response: Response, body: FirstVisit) -> Me:
        """Set the first engineer, with the code on the agent's console; there is no password before."""
        source = f"from {address_of(request)}"
        lobby.guesses.check(source)
        if not lobby.is_new:
            raise Forbidden(403, "there are users already; log in")
        if not lobby.is_code(body.code):
            log.warning("api: a wrong code for the first visit %s", source)
            lobby.guesses.note(source)
            raise Forbidden(401, "this is not the code that the agent has written on its console and in its log")
        change = partial(lobby.people.put_first, body.user, body.password)
        if not await _carried_out(noted, body.user, f"{body.user} is the first engineer", change):
            raise Forbidden(403, "there are users already; log in")
        lobby.places.note(body.user, address_of(request))
        return await _enter(agent, door, response, lobby.people[body.user])


async def _enter(agent: AgentModel, door: Door, response: Response, person: Person) -> Me:
    """A session begins."""
    key, session = door.lobby.sessions.begin(person.name, person.proof)
    await door.lobby.sessions.keep()
    response.set_cookie(
        COOKIE, key, max_age=round(LONGEST_S), path="/", secure=door.secure, httponly=True, samesite="strict"
    )
    return _me(agent, door, Who(person.name, person.role, session))


def _add_password(app: FastAPI, lobby: Lobby, noted: Noted) -> None:
    @app.post("/api/v1/me/password", responses=_LOGIN)
    async def password(
        request: Request, body: NewPassword, who: Annotated[Who, Depends(may("read"))]
    ) -> Done:
        """Change one's own password; one's other sessions end."""
        if who.session is None:
            raise Forbidden(403, "only somebody who has logged in has a password")
        person = await _checked(lobby, who.name, body.old, request)
        change = partial(lobby.people.put, person.name, person.role, body.new)
        await _carried_out(noted, who.name, f"{who.name} has a new password", change)
        lobby.sessions.goes_on(who.session, lobby.people[who.name].proof)
        lobby.sessions.end_all(person.name, but=who.session)
        await lobby.sessions.keep()
        return Done()


def _add_users(app: FastAPI, lobby: Lobby, noted: Noted) -> None:
    @app.get("/api/v1/users", responses=CHANGES)
    async def users(_: Annotated[Who, Depends(may("configure"))]) -> UsersAnswer:
        """Everybody who may log in."""
        return UsersAnswer(users=[UserAnswer(user=person.name, role=person.role) for person in lobby.people])

    @app.post("/api/v1/users", responses=_LOGIN)
    async def put(body: UserRequest, who: Annotated[Who, Depends(may("configure"))]) -> UserAnswer:
        """Add somebody, or change role or password; their sessions end."""
        known = lobby.people.find(body.user)
        what = f"{body.user} is {body.role} now" + (", with a new password" if known and body.password else "")
        await _carried_out(noted, who.name, what, partial(lobby.people.put, body.user, body.role, body.password))
        if who.session and who.name == body.user:
            lobby.sessions.goes_on(who.session, lobby.people[who.name].proof)
        lobby.sessions.end_all(body.user, but=who.session)
        await lobby.sessions.keep()
        return UserAnswer(user=body.user, role=body.role)

    @app.delete("/api/v1/users/{name}", responses={**CHANGES, **NO_SUCH})
    async def remove(
        name: Annotated[str, Path(max_length=64)], who: Annotated[Who, Depends(may("configure"))]
    ) -> Done:
        """Take somebody out; their sessions end."""
        if lobby.people.find(name) is None:
            raise HTTPException(404, f"there is no user {name}")
        await _carried_out(noted, who.name, f"{name} may not log in any more", partial(lobby.people.remove, name))
        lobby.sessions.end_all(name)
        await lobby.sessions.keep()
        return Done()


def _me(agent: AgentModel, door: Door, who: Who | None) -> Me:
    nobody: frozenset[Right] = RIGHTS["anyone"] if door.reading_is_open else frozenset()
    rights = RIGHTS[who.role] if who else nobody
    return Me(
        user=who.name if who else None,
        role=who.role if who else None,
        may=[right for right in ("read", "say", "write", "configure") if right in rights],
        csrf=who.session.csrf if who and who.session else None,
        first_visit=door.lobby.is_new,
        reading_is_open=door.reading_is_open,
        agent=agent.id,
        version=__version__,
        language=agent.language,
        timezone=agent.timezone,
        place={key: level for key, level in agent.place.model_dump().items() if level},
    )


async def _checked(lobby: Lobby, name: str, password: str, request: Request) -> Person:
    """The person, if it is their password. Wrong ones are counted by where they come from, and by name: but not for
    those who come from where they have been before, else anybody could keep anybody out."""
    if lobby.people.trouble:
        raise HTTPException(503, f"nobody can log in: {lobby.people.trouble}")
    address = address_of(request)
    sources = (f"from {address}", *(() if lobby.places.know(name, address) else (f"for {name}",)))
    for source in sources:
        lobby.guesses.check(source)
    try:
        person = await lobby.people.check(name, password)
    except Crowded:
        raise HTTPException(503, "too many log in at once; try again in a few seconds", {"retry-after": "5"}) from None
    if person is None:
        wrong = max(lobby.guesses.note(source) for source in sources)
        log.warning("api: a wrong password %s, %d within a minute", sources[0], wrong)
        raise Forbidden(401, "name or password is wrong")
    lobby.places.note(name, address)
    return person


async def _carried_out(noted: Noted, who: str, what: str, change: Callable[[], Awaitable[bool]]) -> bool:
    """What comes of a change of people; nothing is changed that cannot be written down, and a refusal is, too."""
    if trouble := await noted("user", who, what):
        raise HTTPException(503, f"nothing was changed: the audit log cannot be written ({trouble})")
    try:
        return await change()
    except Unwelcome as refusal:
        await noted("refused", who, f"{what}: {refusal}")
        raise HTTPException(422, str(refusal)) from None
    except Crowded:
        await noted("failed", who, f"{what}: too many at once")
        raise HTTPException(503, "too many passwords at once; try again in a few seconds") from None
    except OSError as error:
        await noted("failed", who, f"{what}: {error.strerror or error}")
        raise HTTPException(503, f"nothing was changed: {error.strerror or error}") from None

"""Login, the first visit and logout: plain forms, which work in any browser and hand out the session's cookie."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from fastapi import FastAPI
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from edge_agent.pages.client import Agent, Away, Refused, Session
from edge_agent.pages.visit import THEME_COOKIE, language_of, session_cookie
from edge_agent.pages.words import Words

# Longer ones are no names, and no passwords a person types.
_LONGEST: Final = 1000
# The API ends a session after a week at the latest, and sooner where nobody uses it.
_KEPT_S: Final = 7 * 86_400


def add_login(app: FastAPI, agent: Agent) -> None:
    """Add the routes `/login` and `/logout`."""

    @app.get("/login", include_in_schema=False)
    async def ask(request: Request) -> Response:
        try:
            me = await agent.me(Session(request.cookies.get(session_cookie(request), "")))
        except (Away, Refused) as error:
            return _form(request, {}, _why(error, words_of(request, {})))
        return _form(request, me)

    @app.post("/login", include_in_schema=False)
    async def login(request: Request) -> Response:
        form = {key: str(value)[:_LONGEST] for key, value in (await request.form()).items()}
        me: dict[str, Any] = {}
        try:
            me = await agent.me(Session())
            first = bool(me.get("first_visit"))
            if first and form.get("password") != form.get("again"):
                return _form(request, me, words_of(request, me)("login.differ"), form)
            names = ("code", "user", "password") if first else ("user", "password")
            address = request.client.host if request.client else ""
            said = {name: form.get(name, "").strip() if name != "password" else form.get(name, "") for name in names}
            cookie = await agent.login("/first-user" if first else "/login", said, address)
        except (Away, Refused) as error:
            return _form(request, me, _why(error, words_of(request, me), first=bool(me.get("first_visit"))), form)
        answer = RedirectResponse(_local(form.get("next", "/")), 303)
        name, secure = session_cookie(request), request.url.scheme == "https"
        answer.set_cookie(name, cookie, max_age=_KEPT_S, httponly=True, samesite="strict", secure=secure)
        return answer

    @app.post("/logout", include_in_schema=False)
    async def logout(request: Request) -> Response:
        cookie = request.cookies.get(session_cookie(request), "")
        try:
            me = await agent.me(Session(cookie))
            await agent.post("/logout", Session(cookie, str(me.get("csrf") or "")), {})
        except (Away, Refused):
            pass  # the cookie goes in any case; a session the agent still knows ends by itself
        answer = RedirectResponse("/login", 303)
        answer.delete_cookie(session_cookie(request))
        return answer


def _why(error: Away | Refused, words: Words, *, first: bool = False) -> str:
    """What is said to whoever cannot come in."""
    if isinstance(error, Away):
        return words("shell.away.now")
    if error.status == 401:
        return words("login.wrong_code" if first else "login.wrong")
    return words("login.slow") if error.status == 429 else words.told(error)


def words_of(request: Request, me: Mapping[str, Any]) -> Words:
    """The visitor's language, before it is known who they are."""
    return Words(language_of(request, me))


def plain(request: Request, words: Words, title: str, body: Markup, status: int = 200, again: int = 0) -> Response:
    """A small document of our own; `again`: it loads itself again after so many seconds."""
    from edge_agent.pages.shell import head

    theme = request.cookies.get(THEME_COOKIE)
    document = Markup(
        '<!doctype html><html lang="{language}"><head><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">{head}</head>'
        '<body class="plain"><main class="card">{body}</main></body></html>'
    ).format(language=words.language, title=title, head=head(theme == "dark", theme is not None, words), body=body)
    headers = {"Cache-Control": "no-store"} | ({"Refresh": str(again)} if again else {})
    return HTMLResponse(str(document), status, headers)


def _form(request: Request, me: Mapping[str, Any], wrong: str = "", form: Mapping[str, str] | None = None) -> Response:
    words = words_of(request, me)
    first = bool(me.get("first_visit"))
    asked = [("user", "text", "username"), ("password", "password", "new-password" if first else "current-password")]
    if first:
        asked = [("code", "text", "one-time-code"), *asked, ("again", "password", "new-password")]
    given = form or {}
    fields = Markup("").join(
        Markup(
            '<label>{label}<input name="{name}" type="{type}" autocomplete="{auto}" value="{value}" required></label>'
        ).format(
            label=words(f"login.{name}"),
            name=name,
            type=type_,
            auto=auto,
            value=given.get(name, "") if type_ == "text" else "",
        )
        for name, type_, auto in asked
    )
    kind = "login.first" if first else "login"
    body = Markup(
        '<h1>{brand}</h1><h2>{title}</h2>{note}{wrong}<form method="post" action="/login">{fields}'
        '<input type="hidden" name="next" value="{next}"><button class="primary">{submit}</button></form>'
        '<p class="links"><a href="/">{back}</a>'
        '<button type="button" onclick="edge.language(\'{other}\')">{language}</button></p>'
    ).format(
        brand=me.get("agent") or words("brand"),
        title=words(f"{kind}.title"),
        note=Markup('<p class="soft">{}</p>').format(words("login.first.note")) if first else "",
        wrong=Markup('<p class="error" role="alert">{}</p>').format(wrong) if wrong else "",
        fields=fields,
        next=given.get("next") or _local(request.query_params.get("next", "/")),
        submit=words(f"{kind}.submit"),
        back=words("login.back"),
        other="en" if words.language == "zh" else "zh",
        language=words("shell.language"),
    )
    return plain(request, words, words(f"{kind}.title"), body, 401 if wrong else 200)


def _local(path: str) -> str:
    """A path of these pages, never the address of another site."""
    return path if path.startswith("/") and not path.startswith(("//", "/\\")) else "/"

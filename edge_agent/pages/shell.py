"""What is around every page: head, navigation, language, colours, account, and the line that says what is wrong."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from markupsafe import Markup
from nicegui import context, ui
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from edge_agent.pages.chart import colours
from edge_agent.pages.client import Agent, Away, LoginNeeded, Refused
from edge_agent.pages.navigation import PAGES, Page
from edge_agent.pages.parts import asset, html, note
from edge_agent.pages.visit import Visit, enter, login_url
from edge_agent.pages.words import TEXTS, Words

log = logging.getLogger(__name__)

# A page without its agent looks again so often.
AGAIN_S: Final = 5
# A page waits for the agent, and on a small gateway Set-up for its libraries, which takes seconds the first time.
LONGEST_S: Final = 60.0


def add_pages(agent: Agent, pages: Sequence[Page] = PAGES) -> None:
    """Tell the page library of each of them."""
    for page in pages:
        _add(agent, page)


def _add(agent: Agent, page: Page) -> None:
    async def build(request: Request) -> Response | None:
        try:
            visit = await enter(request, agent)
        except LoginNeeded:
            return RedirectResponse(login_url(request.url.path), 303)
        except (Away, Refused) as error:
            return silent(request, error)
        if page.role and not visit.me.get("user"):
            return RedirectResponse(login_url(request.url.path), 303)
        with frame(visit, page):
            if page.role and not visit.may(page.role):
                note(visit.words("shell.role", role=visit.words(f"role.{page.role}")))
            else:
                await _show(visit, page)
        return None

    ui.page(page.path, response_timeout=LONGEST_S)(build)


async def _show(visit: Visit, page: Page) -> None:
    try:
        await page.show(visit)
    except LoginNeeded:
        ui.navigate.to(login_url(visit.path))
    except Away:
        note(visit.words("shell.away.first"))
        ui.timer(AGAIN_S, lambda: ui.navigate.reload(), once=True)
    except Refused as refused:
        note(visit.words.refused(refused))


@contextmanager
def frame(visit: Visit, page: Page) -> Iterator[None]:
    """The head of the page; what is made inside is its content."""
    words = visit.words
    ui.page_title(f"{words(page.name)} · {visit.me.get('agent', words('brand'))}")
    ui.add_head_html(head(visit.dark, visit.theme_known, words))
    ui.dark_mode(visit.dark)
    ui.colors(primary=colours(visit.dark).accent)
    html(_header(visit, page)).classes("head")
    wrong = html("").classes("wrong")
    wrong.set_visibility(False)

    def say(text: str) -> None:
        if text != wrong.content:
            wrong.set_content(Markup.escape(text))
            wrong.set_visibility(bool(text))

    visit.seen_in(context.client, say)
    with ui.element("div").classes("content"):
        yield


def head(dark: bool, known: bool, words: Words) -> str:
    """What stands in the head of every document, ours and the library's."""
    ask = "" if known else "edge.first();"
    return Markup(
        '<meta name="color-scheme" content="{scheme}"><link rel="stylesheet" href="{css}"><script src="{js}"></script>'
        "<script>document.documentElement.dataset.theme='{scheme}';"
        "document.documentElement.lang='{language}';{ask}</script>"
    ).format(
        scheme="dark" if dark else "light",
        css=asset("style.css"),
        js=asset("shell.js"),
        language=words.language,
        ask=ask,
    )


def _header(visit: Visit, page: Page) -> Markup:
    words = visit.words
    links = [
        Markup(
            '<a href="{}" class="{}" title="{}"><i class="material-icons" aria-hidden="true">{}</i>'
            '<span class="long">{}</span><span class="short">{}</span></a>'
        ).format(
            one.path, "here" if one is page else "", words(one.name), one.icon, words(one.name), _short(one, words)
        )
        for one in PAGES
        if one.icon and (one.role is None or not visit.me.get("user") or visit.may(one.role))
    ]
    return Markup(
        '<header><a class="brand" href="/"><b>{agent}</b><small>{place}</small></a><nav>{links}</nav>'
        '<div class="tools">{tools}</div></header><p class="lost" role="alert" data-text="{lost}" hidden></p>'
    ).format(
        agent=visit.me.get("agent") or words("brand"),
        place=" · ".join(visit.place),
        links=Markup("").join(links),
        tools=_tools(visit),
        lost=words("shell.away.pages", time="#"),
    )


def _short(page: Page, words: Words) -> str:
    """Its name where the thumb is, on a phone."""
    return words(f"{page.name}.short") if f"{page.name}.short" in TEXTS else words(page.name)


def _tools(visit: Visit) -> Markup:
    words = visit.words
    theme = "light" if visit.dark else "dark"
    button = Markup(
        '<button type="button" title="{}" onclick="{}"><i class="material-icons" aria-hidden="true">{}</i></button>'
    )
    return Markup('<span class="clock" data-zone="{}"></span>{}{}{}{}').format(
        visit.zone,
        Markup('<button type="button" class="language" title="{}" onclick="edge.language(\'{}\')">{}</button>').format(
            words("shell.language.title"), "en" if words.language == "zh" else "zh", words("shell.language")
        ),
        button.format(words(f"shell.{theme}"), f"edge.theme('{theme}')", f"{theme}_mode"),
        button.format(words("shell.wall"), "edge.wall()", "fullscreen"),
        _account(visit),
    )


def _account(visit: Visit) -> Markup:
    words, user = visit.words, visit.me.get("user")
    if not user:
        return Markup(
            '<a class="account" href="{}"><i class="material-icons" aria-hidden="true">login</i><span>{}</span></a>'
        ).format(login_url(visit.path), words("shell.login"))
    return Markup(
        '<form class="account" method="post" action="/logout"><a href="/account" title="{role}">{user}</a>'
        '<button title="{out}"><i class="material-icons" aria-hidden="true">logout</i></button></form>'
    ).format(user=user, role=words.of("role.", str(visit.me.get("role"))), out=words("shell.logout"))


def silent(request: Request, error: Exception) -> Response:
    """A plain page while the agent does not answer; looks again by itself."""
    from edge_agent.pages.login import plain, words_of

    words = words_of(request, {})
    text = words("shell.away.first") if isinstance(error, Away) else words.refused(error)
    log.debug("no page: %s", error)
    return plain(request, words, words("brand"), Markup('<p class="note">{}</p>').format(text), 503, again=AGAIN_S)

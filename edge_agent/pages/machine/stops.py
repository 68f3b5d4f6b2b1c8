"""The stops of a window as a list; each can be given a reason: one click on the stop, one on the reason.

The list and the reasons are plain markup, handled in the browser (`static/stops.js`): a reason that cannot be sent
waits there until it can.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from markupsafe import Markup

from edge_agent.pages.look import shape
from edge_agent.pages.words import Words, milliseconds

Row = Mapping[str, Any]

# Reasons every plant knows; those the site has used come first.
USUAL: Final = ("STARVED", "BLOCKED", "NO_OPERATOR", "TOOL", "QUALITY_HOLD", "CLEANING", "WAIT_AUX", "NO_ORDER")
# Minutes say nothing of shorter ones.
_SHORT_S: Final = 60.0
# What is seen at once on a phone.
CHOICES: Final = 16


def stop_list(machine: str, answer: Row, may_say: bool, words: Words) -> Markup:
    """The stops, the newest first; those without a reason can be seen from afar."""
    stops: Sequence[Row] = answer["stops"]
    if not stops:
        return Markup('<p class="note">{}</p>').format(words("machine.no_stops"))
    return Markup("").join(_row(machine, stop, may_say, words) for stop in stops)


def _row(machine: str, stop: Row, may_say: bool, words: Words) -> Markup:
    state, reason = str(stop["state"]), stop.get("reason")
    fine = float(stop["seconds"]) < _SHORT_S
    until = words.hour(stop["end"], seconds=fine) if stop["end"] else words("machine.now")
    inside = Markup(
        '<span class="pill">{}{}</span><span class="when">{}–{}</span><b>{}</b><span class="reason">{}</span>'
    ).format(
        shape(state),
        words.of("state.", state),
        words.hour(stop["start"], seconds=fine),
        until,
        words.length(stop["seconds"]),
        words.reason(reason) or words("machine.no_reason"),
    )
    kind = f"stop s-{state}{'' if reason else ' unnamed'}"
    if not may_say:
        return Markup('<div class="{}" data-stop="{}">{}</div>').format(kind, stop["id"], inside)
    return Markup(
        '<button type="button" class="{}" data-machine="{}" data-stop="{}" data-start="{}" data-end="{}" '
        'onclick="stops.ask(this)">{}</button>'
    ).format(
        kind,
        machine,
        stop["id"],
        milliseconds(stop["start"]),
        milliseconds(stop["end"]) if stop["end"] else "",
        inside,
    )


def reasons(suggestions: Sequence[str], words: Words) -> Markup:
    """What the dialog offers once it is opened: one that is open stays as it is."""
    known = list(dict.fromkeys([*suggestions, *USUAL]))[:CHOICES]
    buttons = Markup("").join(
        Markup('<button type="button" data-reason="{}" onclick="stops.say(this.dataset.reason)">{}</button>').format(
            reason, words.reason(reason)
        )
        for reason in known
    )
    return Markup('<div class="offered" hidden>{}</div>').format(buttons)


def dialog(words: Words) -> Markup:
    """The reasons to choose from, and a line for another one."""
    return Markup(
        '<dialog id="why-stop"><h2>{title}</h2>'
        '<p class="which soft"></p><div class="reasons"></div>'
        '<form method="dialog" onsubmit="stops.say(this.own.value); return false">'
        '<input name="own" maxlength="64" placeholder="{own}" '
        'aria-label="{own}"><button class="primary">{say}</button></form>'
        '<button type="button" class="close" onclick="this.parentElement.close()">{close}</button></dialog>'
    ).format(
        title=words("machine.why_stop"),
        own=words("machine.own_reason"),
        say=words("machine.say"),
        close=words("shell.close"),
    )


def waiting(user: str, words: Words) -> Markup:
    """A line for reasons that wait in the browser, and what is said of them; `user`: who looks, "" if nobody knows."""
    return Markup(
        '<p class="queued" data-user="{}" data-queued="{}" data-login="{}" data-saved="{}" data-refused="{}" hidden>'
        "</p>"
    ).format(
        user,
        words("machine.queued", n="#"),
        words("machine.queued.login", n="#"),
        words("machine.saved"),
        words("machine.not_taken", error="#"),
    )


def headline(answer: Row, may_say: bool, logged_in: bool, words: Words) -> Markup:
    """How many stops nobody has explained, and who may."""
    unnamed = sum(1 for stop in answer["stops"] if not stop.get("reason"))
    if not answer["stops"]:
        return Markup("")
    if not unnamed:
        return Markup('<span class="fine">{}</span>').format(words("machine.all_explained"))
    hint = "machine.click_stop" if may_say else "machine.who_may" if logged_in else "machine.log_in"
    if not answer.get("may_say"):
        hint = "machine.nobody_may"
    return Markup('<span class="bad">{}</span> <small class="soft">{}</small>').format(
        words("machine.unexplained", n=unnamed), words(hint)
    )

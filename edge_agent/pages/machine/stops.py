"""The stops of a window as a list; each can be given a reason: one click on the stop, one on the reason.

The list and the reasons are plain markup, handled in the browser (`static/stops.js`): a reason that cannot be sent
waits there until it can.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from markupsafe import Markup

from edge_agent.pages.look import shape
from edge_agent.pages.words import Words

Row = Mapping[str, Any]

# Reasons every plant knows; those the site has used come first.
USUAL: Final = ("STARVED", "BLOCKED", "NO_OPERATOR", "TOOL", "QUALITY_HOLD", "CLEANING", "WAIT_AUX", "NO_ORDER")
# What is seen at once on a phone.
CHOICES: Final = 16


def stop_list(machine: str, answer: Row, may_say: bool, words: Words) -> Markup:
    """The stops, the newest first; those without a reason can be seen from afar."""
    stops: Sequence[Row] = answer["stops"]
    if not stops:
        return Markup('<p class="note">{}</p>').format(words("machine.no_stops"))
    rows = Markup("").join(_row(machine, stop, may_say, words) for stop in stops)
    return Markup('<div class="stops">{}</div>').format(rows)


def _row(machine: str, stop: Row, may_say: bool, words: Words) -> Markup:
    state, reason = str(stop["state"]), stop.get("reason")
    until = words.hour(stop["end"]) if stop["end"] else words("machine.now")
    return Markup(
        '<button type="button" class="stop s-{state}{open}" data-machine="{machine}" '
        'data-stop="{id}"{disabled} onclick="stops.ask(this)">'
        '<span class="pill">{shape}{name}</span><span class="when">{start}–{until}</span><b>{length}</b>'
        '<span class="reason">{reason}</span></button>'
    ).format(
        state=state,
        open="" if reason else " unnamed",
        machine=machine,
        id=stop["id"],
        disabled=Markup("") if may_say else Markup(" disabled"),
        shape=shape(state),
        name=words.of("state.", state),
        start=words.hour(stop["start"]),
        until=until,
        length=words.length(stop["seconds"]),
        reason=words.reason(reason) or words("machine.no_reason"),
    )


def dialog(suggestions: Sequence[str], words: Words) -> Markup:
    """The reasons to choose from, and a line for another one."""
    known = list(dict.fromkeys([*suggestions, *USUAL]))[:CHOICES]
    buttons = Markup("").join(
        Markup('<button type="button" data-reason="{}" onclick="stops.say(this.dataset.reason)">{}</button>').format(
            reason, words.reason(reason)
        )
        for reason in known
    )
    return Markup(
        '<dialog id="why-stop" data-queued="{queued}" data-saved="{saved}" data-refused="{refused}"><h2>{title}</h2>'
        '<p class="which soft"></p><div class="reasons">{buttons}</div>'
        '<form method="dialog" onsubmit="stops.say(this.own.value); return false">'
        '<input name="own" maxlength="64" placeholder="{own}" '
        'aria-label="{own}"><button class="primary">{say}</button></form>'
        '<button type="button" class="close" onclick="this.parentElement.close()">{close}</button></dialog>'
        '<p class="queued" hidden></p>'
    ).format(
        queued=words("machine.queued", n="#"),
        saved=words("machine.saved"),
        refused=words("machine.not_taken", error="#"),
        title=words("machine.why_stop"),
        buttons=buttons,
        own=words("machine.own_reason"),
        say=words("machine.say"),
        close=words("shell.close"),
    )


def headline(answer: Row, words: Words) -> Markup:
    """How many stops nobody has explained."""
    unnamed = sum(1 for stop in answer["stops"] if not stop.get("reason"))
    if not answer["stops"]:
        return Markup("")
    if not unnamed:
        return Markup('<span class="fine">{}</span>').format(words("machine.all_explained"))
    return Markup('<span class="bad">{}</span>').format(words("machine.unexplained", n=unnamed))

"""What each reason of a quality means to a person, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from edge_agent.core.quality import Reason, reason_name


class Words(NamedTuple):
    """What a reason means, and what to do about it."""

    said: str
    do: str


WORDS: Final[Mapping[Reason, Words]] = {
    Reason.NONE: Words("no reason was given", "look at the driver's page and at the agent's log"),
    Reason.COMM_LOST: Words(
        "the connection to the device is lost",
        "check power, cable, switch and firewall on the way, and that the device takes one more connection",
    ),
    Reason.OUT_OF_RANGE: Words(
        "the value lies outside the tag's range",
        "if such a value is plausible, widen range: of the tag; if not, check type, order and scale, or the sensor",
    ),
    Reason.STUCK: Words("the value has stood still for longer than is plausible", "check the sensor"),
    Reason.SPIKE: Words("the value has jumped further than is plausible", "check the sensor and its cable"),
    Reason.STALE: Words(
        "no sample has come for longer than the tag allows",
        "check that the device still updates it; if it is slow by nature, allow more with stale: of the tag",
    ),
    Reason.CLOCK: Words(
        "the device's clock was implausible, so the time is the agent's",
        "set the device's clock, best by NTP",
    ),
    Reason.NOT_A_NUMBER: Words(
        "what has come is no finite number",
        "check type and order of the tag; if they are right, a sensor is broken or absent",
    ),
    Reason.REFUSED: Words(
        "the device refuses this address",
        "look up the address, its type and the access rights in the device's manual",
    ),
    Reason.DEVICE: Words(
        "the device itself marks the value",
        "look at the device: its sensor, its program, its own diagnosis",
    ),
    Reason.AGENT_DOWN: Words("the agent was not running", "nothing: it ends with the next sample"),
    Reason.UNMAPPED: Words(
        "a value that the tag's map does not know, or one text more than the 65536 a tag may bring",
        "add the value to map: of the tag",
    ),
    Reason.NO_ANSWER: Words(
        "no answer",
        "check that the device is on, and that its address on the line is right",
    ),
    Reason.GATEWAY: Words(
        "a gateway answers in the name of a device that it cannot reach",
        "check the device behind the gateway: power, wiring, its address, and the gateway's own settings",
    ),
    Reason.BUSY: Words(
        "the device says that it is busy, also when asked again",
        "read it less often (poll:), or find out who else asks it",
    ),
    Reason.GARBLED: Words(
        "what arrives is no intact answer",
        "check wiring, termination, speed and parity, and that nobody else talks on the line at the same time",
    ),
}


def words(quality: int) -> Words:
    """The words for the reason in a quality byte."""
    try:
        return WORDS[Reason(quality & 63)]
    except ValueError:
        return Words(reason_name(quality), WORDS[Reason.NONE].do)

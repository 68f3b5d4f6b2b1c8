"""Messages: what a publisher sends, and what may come back."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Message:
    """Bytes for a topic. `qos` and `retain` as in MQTT; publishers without them ignore both.

    token     carried beside the payload for whoever asked (MQTT 5: correlation data)
    answer    the platform answers with a message of its own, and not before it has it: the key of that
              answer (see `Answer`); '' where the acknowledgement of the link is enough
    about     what it tells the newest of, where a topic tells of several things; each is kept for a new link
    passing   only of interest while it is new: a publisher may let it expire
    encoding  how a publisher has packed the payload: `gzip`, `zstd`; '' as it was made
    """

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = False
    token: bytes = b""
    answer: str = ""
    about: str = ""
    passing: bool = False
    encoding: str = ""


@dataclass(frozen=True, slots=True)
class Received:
    """What came from a destination.

    retained   it was kept there: said some time, not now
    answer_to  the topic the sender wants its answer on; '' if it names none
    token      what the answer has to carry so that the sender knows it again
    """

    topic: str
    payload: bytes
    retained: bool = False
    answer_to: str = ""
    token: bytes = b""

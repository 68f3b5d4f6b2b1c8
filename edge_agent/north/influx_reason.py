"""Why a server or the network said no, sorted by what the caller should do about it.

Source: InfluxDB v2 API reference, `POST /api/v2/write`; the texts of 1.8 to 3 besides. Only 400, 413 and 422 are about
the lines of a request. Whatever else a server refuses has to do with who asks for what: nothing is given up because of
it, the lines wait.
"""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

from edge_agent.errors import AccessDenied, EdgeAgentError, NotConnected

# A server that asks for more would be forgotten about.
LONGEST_WAIT_S: Final = 600.0
# What a person reads of a server's answer, and what fits a line of a log.
_LONGEST_WORDS: Final = 300

_DROPPED: Final = re.compile(r"\s*\bdropped=(\d+)")
# 1.8 and 2 name an "input field", 3 a column 'in quotes', the cloud of version 3 one without.
_CONFLICT: Final = re.compile(r"""(?:input field|column) ["'](.+?)["']|into column (\S+) with type""")


class LinesRefused(EdgeAgentError):
    """Some lines of a request cannot be stored; it may have stored the others.

    dropped  how many, where the server says so      field  in which field of them it does not accept the type
    """

    def __init__(self, reason: str, listed: int | None = None) -> None:
        """`listed`: how many lines the server names one by one."""
        dropped, field = _DROPPED.search(reason), _CONFLICT.search(reason)
        super().__init__(_DROPPED.sub("", reason))
        self.dropped = int(dropped[1]) if dropped else listed
        self.field = (field[1] or field[2]) if field else ""


class TooLarge(EdgeAgentError):
    """The request is larger than the server takes."""


class NoBucket(AccessDenied):
    """The bucket, or its organisation, is not there."""


def from_answer(status: int, said: str, headers: Mapping[str, str], place: str, now: datetime) -> EdgeAgentError:
    """The error for an answer that is none of success; `place` names bucket and organisation.

    201: the cloud of version 3 has created what it could, and says what not.
    """
    words = _words(said)
    told = f"{status}: {words}" if words else str(status)
    if status in (201, 400, 422) or (status == 500 and "partial write" in words):
        return LinesRefused(f"the server refuses it ({told})", _listed(said))
    if status == 413:
        return TooLarge(f"the server takes no request of this size ({told})")
    if status == 401:
        return AccessDenied(f"the server does not accept the token ({told}); see token:")
    if status == 403:
        return AccessDenied(f"the token may not write to {place} ({told}); give it the right to, or another token")
    if status == 404:
        hint = "create it, write create_bucket: true, or see url:, org: and bucket:"
        return NoBucket(f"the server does not know {place} ({told}); {hint}")
    if 300 <= status < 400:
        elsewhere = headers.get("Location", "")
        return AccessDenied(f"the server sends us elsewhere ({status} {elsewhere}); see url:")
    if status in (408, 429) or status >= 500:
        retry_s = _retry_after(headers.get("Retry-After", ""), now)
        return NotConnected(f"the server has no time or trouble of its own ({told})", retry_after_s=retry_s)
    return AccessDenied(f"the server does not answer as an InfluxDB ({told}); see url:")


def from_network(error: BaseException) -> EdgeAgentError:
    """The error for what opening a connection, or a connection that breaks, raised."""
    chain = list(_causes(error))
    for one in chain:
        if isinstance(one, ssl.SSLCertVerificationError):
            what = one.verify_message.rstrip(".")
            hint = "the url must name the host as it does" if "mismatch" in what else "see ca:"
            return AccessDenied(f"the server's certificate is not trusted: {what}; {hint}")
        if isinstance(one, ssl.SSLError):
            return _of_tls(str(one))
        if isinstance(one, ConnectionRefusedError):
            return NotConnected("nothing listens there (connection refused)")
        if isinstance(one, TimeoutError) or "Timeout" in type(one).__name__:
            return NotConnected("no answer (timed out)")
    last = chain[-1]
    return NotConnected(str(last) or repr(last))


def _of_tls(text: str) -> EdgeAgentError:
    lower = text.lower()
    if "alert" in lower and ("certificate" in lower or "unknown ca" in lower):
        return AccessDenied(f"the server refuses our certificate: {text}; see cert: and key:")
    if "wrong_version_number" in lower or "wrong version number" in lower:
        return AccessDenied("the server speaks no TLS there; write the url as http://")
    return NotConnected(f"TLS failed: {text}")


def _causes(error: BaseException) -> list[BaseException]:
    """The error, and those it came of, outermost first; libraries wrap what the socket said in their own."""
    found: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting and len(found) < 20:
        one = waiting.pop(0)
        if one is None or one in found:
            continue
        found.append(one)
        waiting += [one.__cause__, one.__context__, *(arg for arg in one.args if isinstance(arg, BaseException))]
    return found


def _words(said: str) -> str:
    """What the server says in its own words, on one line: the text of its JSON, and of the first line it refuses."""
    told = _json(said)
    words = str(told.get("message") or told.get("error") or said)
    if refused := _refused(told):
        words += f": {refused[0].get('error_message', '')}"
    words = " ".join(words.split())
    return words if len(words) <= _LONGEST_WORDS else words[:_LONGEST_WORDS] + "…"


def _listed(said: str) -> int | None:
    """How many lines version 3 lists; it may list fewer than it refuses."""
    return len({str(one.get("line_number")) for one in _refused(_json(said))}) or None


def _refused(told: Mapping[str, Any]) -> list[dict[str, Any]]:
    data = told.get("data")
    return [one for one in data if isinstance(one, dict)] if isinstance(data, list) else []


def _json(said: str) -> dict[str, Any]:
    try:
        told = json.loads(said)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _retry_after(said: str, now: datetime) -> float:
    """Seconds, from seconds or a date (RFC 9110, 10.2.3); 0 if it is neither."""
    try:
        wait = float(said)
    except ValueError:
        try:
            when = parsedate_to_datetime(said)
        except ValueError:
            return 0.0
        wait = (when.replace(tzinfo=when.tzinfo or UTC) - now).total_seconds()
    return min(max(wait, 0.0), LONGEST_WAIT_S) if wait == wait else 0.0

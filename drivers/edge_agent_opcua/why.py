"""What the driver knows about why a tag has no good value, or a remark; in words."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

from asyncua import ua

from edge_agent_opcua.session import OpcUaSession
from edge_agent_opcua.watch import Watch

_INFO: int = 0x0FFF     # flag bits of a data value, no reasons (Part 4, 7.39.2)


def sentences(session: OpcUaSession, handle: int) -> Sequence[str]:
    """The nearest cause first; empty if there is nothing to say."""
    if session.poller is None and session.watch is None:
        return ()
    return tuple(_said(session, handle))


def _said(session: OpcUaSession, handle: int) -> Iterator[str]:
    targets, decoder = session.targets, session.decoder
    if (refusal := targets.refused.get(handle)) is not None:
        optional = ", which it need not" if targets.of(handle).optional else ""
        yield f"the server does not serve it{optional}: {refusal.why}; it is asked again {_in(refusal.due_s)}"
        return
    code = int(decoder.status[handle])
    if code & ~_INFO:
        status = ua.StatusCode(code & ~_INFO)
        yield f"the server says {status.name} (0x{code:08X}): {status.doc}"
    if (trouble := decoder.trouble.get(handle)) is not None:
        yield f"the server's value cannot be used: {trouble}"
    if isinstance(session.watch, Watch) and handle in session.watch.without:
        yield f"the server refuses {session.watch.without[handle]}, so it reports every change"
    if session.poller is not None and session.is_fallback:
        yield "the server takes no subscription, so it is read again and again"


def _in(due_s: float) -> str:
    try:
        wait = due_s - asyncio.get_running_loop().time()
    except RuntimeError:        # asked from outside the agent's loop
        return "soon"
    return f"in {wait:.0f} s" if wait >= 1 else "at once"

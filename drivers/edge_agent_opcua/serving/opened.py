"""A server of asyncua, built and open. Imported by the server's thread: half a second of the library's code."""

from __future__ import annotations

import socket
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version

from asyncua import ua

from edge_agent_opcua.serving.admit import OPEN, SECURED, Door, encrypt_passwords
from edge_agent_opcua.serving.connections import Outside
from edge_agent_opcua.serving.gate import Inside, ReadOnly
from edge_agent_opcua.serving.machinery import MACHINERY
from edge_agent_opcua.serving.setting import Setting
from edge_agent_opcua.serving.shown import Change
from edge_agent_opcua.serving.space import Space

_PRODUCT = "urn:edge-agent"


class Opened:
    """See `thread.Showing`."""

    def __init__(self, outside: Outside, space: Space, attributes: ReadOnly) -> None:
        self._outside, self._space, self._attributes = outside, space, attributes

    async def put(self, change: Change) -> None:
        """Show a new value."""
        await self._space.put(change)

    def known(self, at: datetime) -> None:
        """Everything that is shown was true at `at`."""
        self._attributes.known_at = at

    async def stop(self) -> None:
        """Close the port and every connection."""
        await self._outside.stop()


async def open_server(
    setting: Setting, sockets: Sequence[socket.socket], stop: threading.Event, first: Sequence[Change]
) -> Opened:
    """Build the server, fill it, listen. Ends with `Stopped` soon after `stop` is set."""
    door = Door(setting.users, setting.secured, setting.judge)
    inside = Inside(door, setting.sessions, len(list(setting.outline.variables())), stop)
    outside = Outside(inside)
    try:
        await _describe(outside, setting)
        own = await outside.register_namespace(setting.namespace)
        machinery = await outside.register_namespace(MACHINERY)
        space = Space(inside.aspace, own, machinery, setting.outline)
        inside.attribute_service.own = own
        opened = Opened(outside, space, inside.attribute_service)
        for change in first:
            await opened.put(change)
        opened.known(datetime.now(UTC))
        outside.set_security_policy(list(SECURED if setting.secured else OPEN))
        await outside.open(sockets)
        encrypt_passwords(inside.endpoints)
    except BaseException:
        await outside.stop()
        raise
    return opened


async def _describe(outside: Outside, setting: Setting) -> None:
    """Who it is: certificate, names, address."""
    inside = outside.iserver
    uri = setting.namespace
    if setting.own is not None:
        inside.certificate, inside.private_key, uri = setting.own.certificate, setting.own.key, setting.own.uri
    outside.name = f"edge-agent {setting.name}"
    outside.manufacturer_name, outside.product_uri = "edge-agent", _PRODUCT
    host = f"[{setting.host}]" if ":" in setting.host else setting.host
    outside.set_endpoint(f"opc.tcp://{host}:{setting.port}")
    await outside.init()
    await outside.set_application_uri(uri)
    release = version("edge-agent")
    await outside.set_build_info(_PRODUCT, "edge-agent", "edge-agent", release, release, datetime.now(UTC))
    await _limits(outside)


async def _limits(outside: Outside) -> None:
    """What the server says of its limits where asyncua's are others."""
    most = outside.iserver.most_sessions
    node = outside.get_node(ua.ObjectIds.Server_ServerCapabilities_MaxSessions)
    await node.write_value(ua.Variant(most, ua.VariantType.UInt32))

"""The plugin page: everything a driver, a publisher, a profile or a server may know of the agent.

A plugin is found by entry point (`edge_agent.drivers`, `edge_agent.publishers`,
`edge_agent.profiles`, `edge_agent.servers`), imports this package and nothing else of the agent, and
inherits from nothing but the configuration models below. Lifecycle, for every kind:

* building checks the configuration and does no I/O; it raises only `ConfigError`;
* `connect()` (of a server: `listen()`) opens one session or link, used once and never reopened; it raises
  `NotConnected` (try again soon) or `AccessDenied` (try again, rarely);
* after that `read`/`send` may raise `NotConnected`, `AccessDenied` or `Rejected`, a `send` also `Busy`; the
  caller then calls `close()` once, which must be safe in every state, and builds nothing on it again (but after
  `Rejected` and `Busy` it goes on);
* a plugin never retries, never logs what it raises, never starts a task that outlives its
  session, and never blocks the event loop.

Calls to one object are never made in parallel, except that `close()` may come while a `read`
or `send` is being cancelled, a `write` while a `read` is under way, and `listen` while a `send` is.
"""

from __future__ import annotations

from edge_agent.api.certificates import Certificate, Certificates, Handled, Wanted
from edge_agent.api.north import (
    Claim,
    LimitedLink,
    Link,
    ListeningLink,
    ProfileConfig,
    ProfilePlugin,
    PublishConfig,
    Publisher,
    PublisherPlugin,
)
from edge_agent.api.serve import (
    DeviceName,
    KpiName,
    Listen,
    Listening,
    MachineName,
    ServeConfig,
    Server,
    ServerPlugin,
    Source,
    TagName,
    kind_of,
    listen_place,
    port_trouble,
)
from edge_agent.api.south import (
    AlarmingSession,
    Clash,
    DeviceConfig,
    Driver,
    DriverPlugin,
    Session,
    TagConfig,
    WritableSession,
    WriteConfig,
)
from edge_agent.api.tools import Branch, Browser, Discovery, Inquiry, Measured, Tell, Tools
from edge_agent.api.values import Clock, Duration, Home, Size, StrictModel
from edge_agent.core.alarm import AlarmChange, AlarmMark
from edge_agent.core.batch import Batch, Bytes, Floats, Int32s, Int64s, concat, empty, row
from edge_agent.core.quality import BAD, GOOD, UNCERTAIN, Reason, bad, uncertain
from edge_agent.core.tags import Kind, Tag, Vocabulary, scan_group
from edge_agent.core.writing import Value
from edge_agent.encode.message import Message, Received
from edge_agent.encode.profile import Answer, Asked, Credentials, Limits, Profile, Scene
from edge_agent.errors import AccessDenied, Busy, ConfigError, Mistake, NotConnected, Refused, Rejected

__all__ = [
    "BAD", "GOOD", "UNCERTAIN", "AccessDenied", "AlarmChange", "AlarmMark", "AlarmingSession", "Answer", "Asked",
    "Batch", "Branch", "Browser", "Busy", "Bytes", "Certificate", "Certificates", "Claim", "Clash", "Clock",
    "ConfigError", "Credentials",
    "DeviceConfig", "DeviceName", "Discovery", "Driver", "DriverPlugin", "Duration", "Floats", "Handled", "Home",
    "Inquiry",
    "Int32s", "Int64s", "Kind", "KpiName", "LimitedLink", "Limits", "Link", "Listen", "Listening", "ListeningLink",
    "MachineName",
    "Measured", "Message", "Mistake", "NotConnected", "Profile", "ProfileConfig", "ProfilePlugin", "PublishConfig",
    "Publisher", "PublisherPlugin",
    "Reason", "Received", "Refused", "Rejected", "Scene", "ServeConfig", "Server", "ServerPlugin", "Session", "Size",
    "Source", "StrictModel", "Tag", "TagConfig", "TagName", "Tell", "Tools", "Value", "Vocabulary",
    "Wanted", "WritableSession", "WriteConfig", "bad", "concat", "empty", "kind_of", "listen_place", "port_trouble",
    "row", "scan_group", "uncertain",
]  # fmt: skip

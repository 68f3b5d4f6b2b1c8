"""One InfluxDB as influxdb-client reaches it: every method blocks, and runs in the one thread of a link.

The client's synchronous calls, with raw lines: its points cost ten times what our lines do, its batching forgets what
waits when the process ends, and its asynchronous form needs a second HTTP library and writes a third as fast.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import zlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, TypeVar

from edge_agent.api import AccessDenied
from edge_agent.errors import EdgeAgentError
from edge_agent.north.influx_config import SECOND, InfluxConfig
from edge_agent.north.influx_reason import LinesRefused, NoBucket, from_answer, from_network
from edge_agent.north.tls import client_context

T = TypeVar("T")

# Line protocol is repetitive: level 1 makes a tenth of it at 200 MB/s, the client's level 9 hardly less at 20 MB/s.
_GZIP_LEVEL: Final = 1
_GZIP_WINDOW: Final = 31


class Thread:
    """Runs what blocks, one after the other, in a thread that nobody waits for: not the loop, not the end of it."""

    def __init__(self, name: str) -> None:
        self._work = queue.SimpleQueue[tuple[Callable[[], Any], Callable[[Any, BaseException | None], object]] | None]()
        threading.Thread(target=self._run, name=name, daemon=True).start()

    async def run(self, function: Callable[[], T]) -> T:
        """What it returns or raises. If cancelled it still runs to its end."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()

        def settle(result: Any, error: BaseException | None) -> None:
            if future.done():
                return
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)

        self._work.put((function, lambda *told: loop.call_soon_threadsafe(settle, *told)))
        return await future

    def end(self, last: Callable[[], object]) -> None:
        """Run `last` and nothing more."""
        self._work.put((last, lambda *_: None))
        self._work.put(None)

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            function, tell = work
            result: Any = None
            failed: BaseException | None = None
            try:
                result = function()
            except BaseException as error:  # told to whoever waits, whatever it is
                failed = error
            try:
                tell(result, failed)
            except RuntimeError:
                return  # the loop has ended meanwhile


class Server:
    """Writes to one bucket."""

    def __init__(self, config: InfluxConfig) -> None:
        self._config = config
        self._precision: str = getattr(config, "precision", "ns")   # a key of the profile
        self._place = f"bucket {config.bucket}" + (f" of org {config.org}" if config.org else "")
        self._client: Any = None
        self._writes: Any = None
        self._pings: Any = None

    def open(self) -> None:
        """See whether we may write, by writing nothing; make the bucket if there is none and we are to."""
        from influxdb_client import InfluxDBClient, PingService, WriteService  # half a second, and only here

        config = self._config
        is_encrypted = config.url.startswith("https:")
        self._client = InfluxDBClient(
            config.url,
            token="" if config.token is None else config.token.get_secret_value(),
            org=config.org,
            timeout=config.timeout // 1_000_000,
            ssl_context=client_context(config.ca, config.cert, config.key) if is_encrypted else None,
            retries=False,
        )
        self._writes = WriteService(self._client.api_client)
        self._pings = PingService(self._client.api_client)
        try:
            self._write_nothing()
        except NoBucket:
            if not config.create_bucket:
                raise
            if config.is_on_trial:
                return self._asked(partial(self._client.organizations_api().find_organizations, org=config.org))
            self._create_bucket()
            self._write_nothing()
        return None

    def write(self, lines: bytes) -> None:
        """Return once they are stored. `LinesRefused`: not all of them are."""
        headers = {}
        if self._config.gzip and lines:
            packer = zlib.compressobj(_GZIP_LEVEL, wbits=_GZIP_WINDOW)
            lines = packer.compress(lines) + packer.flush()
            headers["content_encoding"] = "gzip"
        where = {"org": self._config.org, "bucket": self._config.bucket, "precision": self._precision}
        self._asked(partial(self._writes.post_write, body=lines, **where, **headers))
        answer = self._client.api_client.last_response
        if answer.status == 201 and answer.data.strip():
            raise from_answer(201, answer.data, {}, self._place, datetime.now(UTC))

    def ping(self) -> None:
        """Return if there is a server; not every one, and not every proxy before it, knows what a ping is."""
        try:
            self._asked(self._pings.get_ping)
        except (AccessDenied, LinesRefused):
            pass

    def close(self) -> None:
        """Let go of the connection."""
        if self._client is not None:
            self._client.api_client.rest_client.pool_manager.clear()

    def _write_nothing(self) -> None:
        """Servers look at token, organisation and bucket first. Some find that no line is too few."""
        try:
            self.write(b"")
        except LinesRefused:
            pass

    def _create_bucket(self) -> None:
        from influxdb_client import BucketRetentionRules

        rules = []
        if self._config.retention is not None:
            rules = [BucketRetentionRules(type="expire", every_seconds=self._config.retention // SECOND)]
        make = self._client.buckets_api().create_bucket
        try:
            self._asked(lambda: make(bucket_name=self._config.bucket, org=self._config.org, retention_rules=rules))
        except (AccessDenied, LinesRefused) as denied:
            raise AccessDenied(f"there is no {self._place}, and it cannot be created: {denied}") from denied

    def _asked(self, ask: Callable[[], object]) -> None:
        from influxdb_client.rest import ApiException

        try:
            ask()
        except ApiException as error:
            if not error.status:
                raise from_network(error) from None
            headers: Mapping[str, str] = error.headers or {}
            raise from_answer(error.status, error.body or "", headers, self._place, datetime.now(UTC)) from None
        except EdgeAgentError:
            raise
        except Exception as error:      # the client lets through whatever its own libraries raise
            raise from_network(error) from error

"""A server that answers like InfluxDB 2, 1.8 or 3, or as it is told to: in this process, with what it has stored.

    with FakeInflux() as server:
        server.answer_next(503, {"Retry-After": "7"})       # or "hang", "reset"
        server.stored[series, time]["temp"]                 # a later field of the same name replaced the earlier
"""

from __future__ import annotations

import gzip
import json
import socket
import ssl
import struct
import threading
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.encode.line_protocol_reader import Field, Point, Reader

Answer = tuple[int, dict[str, str]] | str

_CONFLICTS = {
    "2": 'field type conflict: input field "{}" on measurement "{}" is type {}, already exists as type {}',
    "3": "invalid column type for column '{}' of {}, expected iox::column_type::{}, got iox::column_type::{}",
    "cloud": "Unable to insert type iox::{2} type into column {0} with type iox::{3}",
}
"""As 2.7, 3 Core and the cloud of version 3 word them."""


class FakeInflux:
    """Bucket `plant` of org `acme`, for the token `secret`."""

    def __init__(self, *, version: str = "2", context: ssl.SSLContext | None = None) -> None:
        """`version`: 2; 3, which does not say how many lines it did not store; cloud: 3 that calls it a success."""
        self.buckets = {"plant": 0}
        self.may_create = True
        self.token = "secret"
        self.most_bytes = 10**9
        self.is_dead = False            # whoever asks for a sign of life gets none
        self.stored: dict[tuple[Any, int | None], dict[str, Field]] = {}
        self.types: dict[tuple[str, str], type] = {}
        self.writes: list[tuple[int, int]] = []         # lines and status of each write that had lines
        self.queries: list[dict[str, str]] = []
        self.encodings: list[str] = []
        self._version = version
        self._script: deque[Answer] = deque()
        self._released = threading.Event()
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                fake.get(self)

            def do_POST(self) -> None:
                fake.post(self)

            def log_message(self, *_: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._http.handle_error = lambda *_: None  # type: ignore[method-assign]
        if context:
            self._http.socket = context.wrap_socket(self._http.socket, server_side=True)
        self.url = f"http{'s' if context else ''}://127.0.0.1:{self._http.server_address[1]}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> FakeInflux:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._released.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join(10)

    def answer_next(self, status: int | str, headers: dict[str, str] | None = None) -> None:
        """The next write is answered so, and nothing is stored; "stored-reset" stores and says nothing."""
        self._script.append(status if isinstance(status, str) else (status, headers or {}))

    def get(self, handler: BaseHTTPRequestHandler) -> None:
        path, _, query = handler.path.partition("?")
        if self.is_dead:
            return _reset(handler)
        if path == "/ping":
            return _answer(handler, 204)
        if path == "/api/v2/orgs" and parse_qs(query).get("org") != ["acme"]:
            return _answer(handler, 404, {"code": "not found", "message": f"organization of {query} not found"})
        if path == "/api/v2/orgs":
            return _answer(handler, 200, {"orgs": [{"id": "0" * 16, "name": "acme"}]})
        return _answer(handler, 404, {"code": "not found", "message": "path not found"})

    def post(self, handler: BaseHTTPRequestHandler) -> None:
        said = handler.rfile.read(int(handler.headers["Content-Length"] or 0))
        parts = urlsplit(handler.path)
        query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        if self.token and handler.headers["Authorization"] != f"Token {self.token}":
            _answer(handler, 401, {"code": "unauthorized", "message": "unauthorized access"})
        elif parts.path == "/api/v2/buckets":
            self._create(handler, json.loads(said))
        elif query["org"] != "acme":
            _answer(handler, 404, {"code": "not found", "message": f'organization name "{query["org"]}" not found'})
        elif query["bucket"] not in self.buckets:
            _answer(handler, 404, {"code": "not found", "message": f'bucket "{query["bucket"]}" not found'})
        else:
            self._write(handler, said, query)

    def _create(self, handler: BaseHTTPRequestHandler, said: dict[str, Any]) -> None:
        if not self.may_create:
            return _answer(handler, 403, {"code": "forbidden", "message": "insufficient permissions for write"})
        rules = said.get("retentionRules") or [{"everySeconds": 0}]
        self.buckets[said["name"]] = rules[0]["everySeconds"]
        return _answer(handler, 201, {"id": "1" * 16, "name": said["name"], "retentionRules": []})

    def _write(self, handler: BaseHTTPRequestHandler, said: bytes, query: dict[str, str]) -> None:
        encoding = handler.headers["Content-Encoding"] or ""
        body = gzip.decompress(said) if encoding == "gzip" else said
        if not body:
            return _answer(handler, 400, {"code": "invalid", "message": "writing requires points"})
        self.queries.append(query)
        self.encodings.append(encoding)
        lines = body.decode().split("\n")
        if self._script:
            told = self._script.popleft()
            if told == "hang":
                self._released.wait(60)
                return _reset(handler)
            if told == "stored-reset":
                self._store(lines)
                return _reset(handler)
            if told == "reset":
                return _reset(handler)
            status, headers = told
            self.writes.append((len(lines), int(status)))
            return _answer(handler, int(status), {"message": "as told"}, headers)  # type: ignore[arg-type]
        if len(body) > self.most_bytes:
            self.writes.append((len(lines), 413))
            return _answer(handler, 413, {"code": "request too large", "message": "too large"})
        status, trouble = self._store(lines)
        self.writes.append((len(lines), status))
        return _answer(handler, status, trouble)

    def _store(self, lines: list[str]) -> tuple[int, dict[str, Any] | None]:
        """What can be stored is; a line is refused for its syntax, a type that conflicts, or the tag `poison`."""
        troubles: list[str] = []
        numbers: list[int] = []
        for number, line in enumerate(lines, 1):
            try:
                self._keep(Reader(line).point())
            except ValueError as trouble:
                troubles.append(str(trouble))
                numbers.append(number)
        if not troubles:
            return 204, None
        if self._version == "cloud":
            return 201, {"code": "invalid", "line": 1, "message": "\n".join(troubles)}
        if self._version == "3":
            data = [{"line_number": n, "error_message": said} for n, said in zip(numbers, troubles, strict=True)]
            return 400, {"error": "partial write of line protocol occurred", "data": data[:100]}
        message = f"failure writing points to database: partial write: {troubles[0]} dropped={len(troubles)}"
        return (422 if "conflict" in troubles[0] else 400), {"code": "unprocessable entity", "message": message}

    def _keep(self, point: Point) -> None:
        if "poison" in point.tags:
            raise ValueError(f"unable to parse '{point.tags['poison']}'")
        for name, value in point.fields.items():
            known = self.types.setdefault((point.measurement, name), type(value))
            if known is not type(value):
                raise ValueError(_CONFLICTS[self._version].format(name, point.measurement, type(value), known))
        self.stored.setdefault((point.series, point.time), {}).update(point.fields)


def _answer(
    handler: BaseHTTPRequestHandler, status: int, said: Any = None, headers: dict[str, str] | None = None
) -> None:
    body = b"" if said is None else json.dumps(said).encode()
    handler.send_response(status)
    for name, value in (headers or {}).items():
        handler.send_header(name, value)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def _reset(handler: BaseHTTPRequestHandler) -> None:
    """As a server that dies: no answer, no good manners."""
    handler.close_connection = True
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()

"""A real InfluxDB 1.6 (its own storage engine, types and partial writes) behind the write API of version 2.

The translation is in this process and as thin as it can be: a bucket is a database, a token one word. What the engine
says about the lines goes through unchanged.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from tests.peers.process import Peer
from tests.peers.waiting import free_port

INFLUXD = shutil.which("influxd")
TOKEN = "secret"
_PRECISION = {"ns": "n", "us": "u", "ms": "ms", "s": "s"}


class InfluxV1:
    """`with InfluxV1(folder) as server:`; `url` speaks version 2; `kill()` and `start()` are those of the engine."""

    def __init__(self, folder: Path) -> None:
        port, rpc = free_port(), free_port()
        self._engine = f"http://127.0.0.1:{port}"
        settings = {
            "META_DIR": folder / "meta", "DATA_DIR": folder / "data", "DATA_WAL_DIR": folder / "wal",
            "HTTP_BIND_ADDRESS": f"127.0.0.1:{port}", "BIND_ADDRESS": f"127.0.0.1:{rpc}",
            "REPORTING_DISABLED": "true", "MONITOR_STORE_ENABLED": "false", "HTTP_LOG_ENABLED": "false",
        }  # fmt: skip
        told = [f"INFLUXDB_{name}={value}" for name, value in settings.items()]
        empty = folder / "influxd.conf"
        empty.touch()
        os.environ.setdefault("HOME", str(folder))
        self._peer = Peer(["env", *told, INFLUXD, "run", "-config", empty], listens=port)
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"

    def __enter__(self) -> InfluxV1:
        self.start()
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()
        self.ask("CREATE DATABASE plant")
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self.kill()

    def start(self) -> None:
        """Start the engine, and wait until it serves."""
        self._peer.start()

    def kill(self) -> None:
        """As a power cut would."""
        self._peer.kill()

    def ask(self, question: str) -> list[dict[str, Any]]:
        """The series of the answer to InfluxQL, each with `columns` and `values`."""
        query = urlencode({"db": "plant", "epoch": "ns", "q": question})
        with urllib.request.urlopen(f"{self._engine}/query", query.encode(), timeout=20) as answer:
            (result,) = json.loads(answer.read())["results"]
        assert "error" not in result, result
        found: list[dict[str, Any]] = result.get("series", [])
        return found

    def rows(self, question: str) -> list[dict[str, Any]]:
        """The same as rows of one series; nothing is an empty list."""
        return [
            {name: value for name, value in zip(one["columns"], row, strict=True) if value is not None}
            for one in self.ask(question)
            for row in one["values"]
        ]

    def translated(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer a request of version 2."""
        said = handler.rfile.read(int(handler.headers["Content-Length"] or 0))
        parts = urlsplit(handler.path)
        query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        if handler.headers["Authorization"] != f"Token {TOKEN}":
            return _answer(handler, 401, "unauthorized access")
        if parts.path != "/api/v2/write":
            return _answer(handler, 404, "path not found")
        if handler.headers["Content-Encoding"] == "gzip":
            said = gzip.decompress(said)
        where = urlencode({"db": query["bucket"], "precision": _PRECISION[query["precision"]]})
        try:
            with urllib.request.urlopen(f"{self._engine}/write?{where}", said, timeout=20) as answer:
                return _answer(handler, answer.status, "")
        except urllib.error.HTTPError as refusal:
            return _answer(handler, refusal.code, json.loads(refusal.read())["error"])
        except OSError as trouble:
            return _answer(handler, 503, str(trouble))


def _handler(server: InfluxV1) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            _answer(self, 204, "")

        def do_POST(self) -> None:
            server.translated(self)

        def log_message(self, *_: object) -> None:
            pass

    return Handler


def _answer(handler: BaseHTTPRequestHandler, status: int, message: str) -> None:
    body = json.dumps({"code": "invalid", "message": message}).encode() if message else b""
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)

"""MQTT in a WebSocket (RFC 6455; MQTT 5.0 section 6): a socket for paho that wraps what it sends.

paho has one of its own; it masks byte by byte in Python (200 kB hold up the event loop for 15 ms; here for 0.1 ms),
reads byte by byte, and does not say what the HTTP server answered.
"""

from __future__ import annotations

import base64
import hashlib
import os
import socket
import ssl
import struct
import time
from collections.abc import Mapping
from typing import Final

import numpy as np

from edge_agent.errors import AccessDenied, NotConnected

CHUNK: Final = 65536
"""bytes read at once"""
HEAD: Final = 16384
"""bytes of an HTTP answer; longer ones are none to an upgrade"""
_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_CONTINUATION, _BINARY, _CLOSE, _PING, _PONG = 0x0, 0x2, 0x8, 0x9, 0xA


class WebSocket:
    """An open WebSocket over `sock`, which has done its own handshake; as paho wants a socket to be."""

    def __init__(
        self, sock: socket.socket, host: str, path: str, headers: Mapping[str, str], patience_s: float
    ) -> None:
        """Blocks for the handshake, `patience_s` at most. `host`: as the header of this name has it.

        `AccessDenied`: HTTP 401 or 403; `NotConnected`: no WebSocket there.
        """
        self.sock = sock
        self._raw = bytearray()         # read, and not yet unwrapped
        self._data = bytearray()        # unwrapped, and not yet taken by paho
        self._left = 0                  # bytes of the frame under way that are still to come
        self._control = -1              # its kind, where it is a control frame
        self._out = bytearray()         # a frame that the kernel has not taken whole
        self._taken = 0                 # bytes of the caller's in it
        self._answers = bytearray()     # PONG and CLOSE, sent between frames
        self._ended = False
        self._shake_hands(host, path, headers, time.monotonic() + patience_s)

    def send(self, data: bytes | bytearray) -> int:
        """Bytes of `data` that are on their way: all of it, or 0 until the frame is out; then `data` comes again."""
        if not self._out:
            self._out += self._answers + _frame(_BINARY, data)
            self._answers.clear()
            self._taken = len(data)
        del self._out[: self.sock.send(self._out)]
        return 0 if self._out else self._taken

    def recv(self, size: int) -> bytes:
        """Up to `size` bytes; none: the end. BlockingIOError, or what TLS raises in its place: not yet."""
        while not self._data:
            if self._ended:
                return b""
            more = self.sock.recv(CHUNK)
            if not more:
                return b""
            self._raw += more
            self._unwrap()
        taken = bytes(self._data[:size])
        del self._data[:size]
        return taken

    def pending(self) -> int:
        """Bytes that are here already and make the socket readable no more."""
        return len(self._data) + (self.sock.pending() if isinstance(self.sock, ssl.SSLSocket) else 0)

    def fileno(self) -> int:
        """Of the socket below."""
        return self.sock.fileno()

    def setblocking(self, flag: bool) -> None:
        """Of the socket below."""
        self.sock.setblocking(flag)

    def close(self) -> None:
        """Hang up; MQTT's DISCONNECT has said goodbye."""
        self.sock.close()

    # -- what comes --------------------------------------------------------------------------

    def _unwrap(self) -> None:
        while self._raw:
            if not self._left and not self._begin():
                return
            if self._control >= 0:
                if len(self._raw) < self._left:
                    return
                self._heed(self._control, self._take())
            else:
                self._data += self._take()

    def _begin(self) -> bool:
        """Read a frame's header; False while it is not all here. An empty frame is heeded at once."""
        raw = self._raw
        if len(raw) < 2:
            return False
        kind, length = raw[0] & 0x0F, raw[1] & 0x7F
        size = 2 + {126: 2, 127: 8}.get(length, 0)
        if len(raw) < size:
            return False
        if raw[0] & 0x70 or raw[1] & 0x80 or kind not in (_CONTINUATION, _BINARY, _CLOSE, _PING, _PONG):
            raise ConnectionError("the server sent a WebSocket frame that MQTT does not know")
        if size > 2:
            length = int.from_bytes(raw[2:size], "big")
        if kind >= _CLOSE and length > 125:
            raise ConnectionError("the server sent a WebSocket control frame that is too long")
        del raw[:size]
        self._left, self._control = length, kind if kind >= _CLOSE else -1
        if not length and kind >= _CLOSE:
            self._heed(kind, b"")
        return length > 0 or self._begin()

    def _take(self) -> bytes:
        taken = bytes(self._raw[: self._left])
        del self._raw[: self._left]
        self._left -= len(taken)
        return taken

    def _heed(self, kind: int, said: bytes) -> None:
        if kind == _PONG:
            return
        self._ended = self._ended or kind == _CLOSE
        self._answers += _frame(_PONG if kind == _PING else _CLOSE, said)
        if not self._out:
            try:
                del self._answers[: self.sock.send(self._answers)]
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                pass    # goes out before the next frame

    # -- the beginning -----------------------------------------------------------------------

    def _shake_hands(self, host: str, path: str, headers: Mapping[str, str], deadline: float) -> None:
        key = base64.b64encode(os.urandom(16))
        asked = {
            "Host": host, "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Key": key.decode(),
            "Sec-WebSocket-Version": "13", "Sec-WebSocket-Protocol": "mqtt", **headers,
        }  # fmt: skip
        lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in asked.items()), "", ""]
        self.sock.sendall("\r\n".join(lines).encode("latin-1"))
        answer = _read_head(self.sock, deadline)
        head, _, self._raw = answer.partition(b"\r\n\r\n")
        status, said = _parse_head(head)
        accept = base64.b64encode(hashlib.sha1(key + _GUID, usedforsecurity=False).digest()).decode()
        if status.split(" ", 1)[0] in ("401", "403"):
            raise AccessDenied(f"the WebSocket server refuses us: HTTP {status}")
        if status.split(" ", 1)[0] != "101":
            raise NotConnected(f"no WebSocket at {path}: HTTP {status or 'is not spoken there'}")
        if said.get("upgrade", "").lower() != "websocket" or said.get("sec-websocket-accept") != accept:
            raise NotConnected(f"no WebSocket at {path}: the server's answer is not to our question")
        if said.get("sec-websocket-protocol", "mqtt") != "mqtt":
            raise NotConnected(f"no MQTT at {path}: the server speaks {said['sec-websocket-protocol']}")
        self._unwrap()


def _read_head(sock: socket.socket, deadline: float) -> bytearray:
    answer = bytearray()
    while b"\r\n\r\n" not in answer:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        sock.settimeout(left)
        more = sock.recv(4096)
        answer += more
        if not more or len(answer) > HEAD:
            raise NotConnected("no WebSocket there: HTTP is not spoken")
    return answer


def _parse_head(head: bytes | bytearray) -> tuple[str, dict[str, str]]:
    """`101 Switching Protocols` and the headers, names in small letters; '' if it is no HTTP."""
    first, *lines = head.decode("latin-1").split("\r\n")
    version, _, status = first.partition(" ")
    pairs = (line.partition(":") for line in lines)
    return status if version.startswith("HTTP/") else "", {name.lower(): value.strip() for name, _, value in pairs}


def _frame(kind: int, data: bytes | bytearray) -> bytearray:
    """One whole frame, masked as a client must."""
    size = len(data)
    if size < 126:
        head = struct.pack("!BB", 0x80 | kind, 0x80 | size)
    elif size < 65536:
        head = struct.pack("!BBH", 0x80 | kind, 0xFE, size)
    else:
        head = struct.pack("!BBQ", 0x80 | kind, 0xFF, size)
    mask = os.urandom(4)
    masked = bytearray(head + mask + data + bytes(-size % 4))
    words = np.frombuffer(masked, np.uint32, (size + 3) // 4, len(head) + 4)
    words ^= np.frombuffer(mask, np.uint32)
    del words, masked[len(head) + 4 + size :]
    return masked

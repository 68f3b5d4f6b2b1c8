"""A real mosquitto on a free loopback port, in a process of its own; also with WebSockets."""

from __future__ import annotations

from pathlib import Path

from edge_agent_hil.broker import MOSQUITTO, Mosquitto
from edge_agent_hil.ports import free_port, wait_until_listens

__all__ = ["MOSQUITTO", "Mosquitto", "WebSocketMosquitto", "free_port"]


class WebSocketMosquitto(Mosquitto):
    """One that listens for WebSockets at `websocket_port`, too; `lines` are of that listener.

    Debian's does not start with WebSockets alone.
    """

    def __init__(self, folder: Path, *lines: str) -> None:
        self.websocket_port = free_port()
        listener = f"listener {self.websocket_port} 127.0.0.1"
        super().__init__(folder, "allow_anonymous true", listener, "protocol websockets", *lines)

    def start(self) -> None:
        """Start it, and wait until it listens at both ports."""
        super().start()
        assert wait_until_listens(self.websocket_port, lambda: True), "mosquitto does not listen for WebSockets"

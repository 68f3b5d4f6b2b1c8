"""Simulated equipment with ground truth: real Modbus TCP and OPC UA, a process of its own, its exact OEE."""

from __future__ import annotations

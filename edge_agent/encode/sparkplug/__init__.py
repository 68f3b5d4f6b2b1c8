"""Sparkplug B 3.0 as an edge node says it: pure, from what the agent knows to payloads without their `seq`."""

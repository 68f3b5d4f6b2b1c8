"""The agent's own HTTP API, and the commands that ask it."""

"""Putting a server into service: what is there, how its values read, what it can take."""

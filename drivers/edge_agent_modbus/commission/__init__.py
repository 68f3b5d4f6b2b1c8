"""Putting a device into service: what is there, how its values are to be read, what it can take."""

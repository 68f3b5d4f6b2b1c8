"""The site file: its models, and `load` with every mistake named by file, line and key."""

"""The other side: machines, KPIs and tags of the agent as an OPC UA server."""

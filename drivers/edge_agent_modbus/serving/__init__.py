"""The other side: tags, KPIs and states of the agent as a Modbus TCP server."""

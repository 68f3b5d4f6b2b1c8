"""The pages people look at: a process of its own that asks the agent's HTTP API, so that no page disturbs the agent."""

"""Edge Agent: reads equipment, computes exact OEE at the source, publishes without loss."""

__version__ = "0.1.0"

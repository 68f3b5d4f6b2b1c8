"""Reading: one reader a device, each with its own session and schedule, none waiting for another."""

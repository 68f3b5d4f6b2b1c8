"""North: publishers, and the loop that lets each destination follow the journal at its own pace."""

"""Pure encoders: neutral records in, bytes out; what a session needs is an argument."""

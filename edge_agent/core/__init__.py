"""The pure core: integers and arrays in, integers and arrays out; no clock, no I/O, no logging."""

"""Guards for whatever arrives over the wire. Knows HTTP and JSON, nothing of profiles."""

"""The HTTP door: routes built from the catalog, and nothing that a use case could do."""

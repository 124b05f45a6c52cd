"""The console: pages for people on what the services do. Nothing of theirs is done again here."""

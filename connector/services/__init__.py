"""Use cases. What they need from outside is handed to them."""

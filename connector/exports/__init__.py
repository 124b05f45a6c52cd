"""Pure renderers of what `schemas/` declares."""

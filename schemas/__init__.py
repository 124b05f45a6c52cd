"""What exists: every field, input, action and search, said once. marshmallow and nothing else."""

"""The connector's memory in SQL: what is watched, what happened, what is to be delivered.

The database is the durable queue: a row with `due_at` is work, and whoever does it holds a
claim, a random token until a point in time. What is completed is fenced by the token.
"""

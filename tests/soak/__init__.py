"""The soak: processes are killed at random while profiles post, and nothing may be lost.

`python -m tests.soak --help`. Everything is real but TikTok and the receivers, which count.
"""

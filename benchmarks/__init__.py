"""Measurements of the product as it runs. `make bench` and `make bench-peers` write RESULTS.md.

Nothing here is a test: a figure says what one machine did at one time.
"""

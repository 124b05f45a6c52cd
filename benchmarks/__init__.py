"""Measurements of the product as it runs. `make bench` runs them all and writes RESULTS.md.

Nothing here is a test: a figure says what one machine did at one time.
"""

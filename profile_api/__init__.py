"""The get-tiktok-profile endpoint itself: keys, credits, limits and a profile service behind it.

Knows nothing of the connector, which calls it over HTTP like anybody else.
"""

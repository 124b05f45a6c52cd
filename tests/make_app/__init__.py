"""A stand-in for Make's engine, since none runs offline: enough of it to run this project's app.

It refuses whatever it does not know, so that nothing passes here unread.
"""

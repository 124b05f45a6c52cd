"""The product beside what a builder would run instead: Node-RED and n8n, with the same flow.

`make bench-peers` installs both from npm, as package.json pins them; Git ignores what is installed. n8n is
the last version that takes the Node of requirements-dev.txt. Its spreadsheet package, which no flow here
uses, is npm's own and not the one its maker serves elsewhere.
"""

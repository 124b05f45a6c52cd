"""What both halves stand on: guards for what comes over the wire, engines, migrations. No profiles."""

"""What happens: requests in, one upstream call, flat rows out."""

VERSION = "0.1.0"

"""What happens: requests in, one upstream call, flat rows out."""

__version__ = "0.1.0"

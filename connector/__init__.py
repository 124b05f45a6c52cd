"""What happens: requests in, one upstream call, flat rows out."""

"""The outside: where foreign protocols and foreign errors end."""

"""Rates: how many requests and tokens may be sent in a time, how many at once, and who waits for them."""

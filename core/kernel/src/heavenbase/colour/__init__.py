"""One source, two colours: drivers, several items at once, sync code in threads."""

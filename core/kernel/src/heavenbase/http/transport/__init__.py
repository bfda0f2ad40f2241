"""Below the SDK: one exchange over pooled connections, in both colours, with its own clocks."""

"""The Redis server that processes share: its settings, connections that keep nobody waiting, and a circuit."""

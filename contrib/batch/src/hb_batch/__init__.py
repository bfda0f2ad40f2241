"""Many calls at once: `hb.batch` in memory, and `hb batch run` from file to file, interrupted and resumed."""

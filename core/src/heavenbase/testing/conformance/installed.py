"""The module that `--hb-plugin KIND:NAME` collects; `heavenbase.testing.plugin` fills it."""

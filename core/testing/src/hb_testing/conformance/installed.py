"""The module that `--hb-plugin KIND:NAME` collects; `hb_testing.plugin` fills it."""

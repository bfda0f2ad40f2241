"""Benchmarks: each prints a ratio of hb to the raw openai SDK, measured side by side in one run.

python -m bench                 every figure, at least seven interleaved rounds
python -m bench sync stream     some of them
python -m bench --quick --check what CI runs: fewer rounds, fails where a goal is missed by more than twice

Loads that are told in figures of their own:

python -m bench.load_cache_fill        a cache of a million entries
python -m bench.load_cache_contention  processes that share one cache
python -m bench.load_routes            a route whose endpoints fail: requests, recovery, memory
python -m bench.load_limits            processes under one limit on Redis, with clocks that are set forth and back
"""

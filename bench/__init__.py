"""Benchmarks: each prints a ratio of hb to the raw openai SDK, measured side by side in one run.

python -m bench                 every figure, at least seven interleaved rounds
python -m bench sync stream     some of them
python -m bench --quick --check what CI runs: fewer rounds, fails where a goal is missed by more than twice
"""

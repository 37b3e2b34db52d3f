"""Benchmarks: ours and the peers' side by side in one run, as ratios. ``python -m tests.benchmarks [name …]``."""

"""Benchmarks: `scripts/bench`. Two proxies in front of one upstream, measured in turns, told as ratios."""

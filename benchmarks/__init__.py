"""The measurements behind every published number: `python -m benchmarks` runs all of them."""

"""The benchmarks: what trueup costs, measured and written as JSON under `benchmarks/results/`."""

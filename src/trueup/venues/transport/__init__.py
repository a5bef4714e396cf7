"""How every venue is reached: limits, retries, circuit breaking, clocks, streams and secrets. Knows no venue."""

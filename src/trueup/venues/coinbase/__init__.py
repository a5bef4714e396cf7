"""Coinbase Advanced: spot, US futures (CFM), and the gateway of its global derivatives."""

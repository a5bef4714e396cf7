"""Zerodha's Kite Connect v3: Indian equities, futures and options, commodities and currencies."""

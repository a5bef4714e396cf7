"""Hyperliquid: perpetuals of the main and of builder-deployed dexes, and spot. Amounts are texts, times whole ms.

The dexes and spot are separate wallets of one account: the main dex is ``""``, the others go by ``spot`` or the dex's
name. (In the venue's unified mode they share collateral; the venue still states them one by one.)
"""

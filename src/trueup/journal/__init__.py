"""The append-only journal on disk, and the views derived from it.

What lives only here: how events become bytes, how bytes become durable, and how what was written is found whole again.
"""

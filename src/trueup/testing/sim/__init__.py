"""Proof by simulation: the real store on a disk that may do whatever a disk may do, one seed a run.

What is simulated is the disk alone. The log, SQLite, the ledger and the views are the program's own code.
"""

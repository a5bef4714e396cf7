"""The names that people know, as thin doors onto the same ledgers, journal and checks that everything else uses.

Import them from :mod:`trueup` itself, which loads them when they are first asked for.
"""

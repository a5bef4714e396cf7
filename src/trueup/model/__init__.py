"""The words of the trade: numbers, times, identifiers, instruments, events, positions, differences, errors.

Everything here is immutable and imports nothing else of ours. Import the modules, not this package.
"""

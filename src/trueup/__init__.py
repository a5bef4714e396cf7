"""trueup: the book of record for people who run trading bots on several venues.

What lives only here: the version.
"""

__version__ = "0.1.0"

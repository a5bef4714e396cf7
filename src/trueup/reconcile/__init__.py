"""Where the book, the database and the venue differ, and what a correction would be. Pure: it reads and reports.

``compare`` is the way in. Import the modules, not this package.
"""

"""From a difference to its causes, with evidence, to the last unit. Pure.

``explaining.explain`` is the way in; ``taxonomy.py`` is the table of causes. Import the modules, not this package.
"""

"""``trueup demo``: two paper venues in this process, the book in a child process, and everything that can go wrong.

* ``world`` the two venues, what is traded there, and the plan of what strikes when
* ``messages`` what the child tells its parent; ``causes`` why a fact was missed, from evidence alone
* ``child`` the process that is killed: ``keeper`` holds one account's book true to its venue, ``trader`` trades
* ``stage`` the parent: venues, faults, the kills and the starts after them; ``record`` what it saw and was told
* ``check`` the book on disk against the venues' own truth; ``summary`` the whole run in numbers
* ``screen`` and ``lines`` what a person sees meanwhile; ``command`` the command itself
"""

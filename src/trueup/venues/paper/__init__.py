"""The paper venue: an exchange of our own, that demo, tests and drills run on.

It keeps its own truth by its own arithmetic and knows nothing of the book that is checked against it.

* ``markets`` what is traded and at what fees; ``orders`` what is asked; ``matching`` which of it trades, at what price
* ``account`` money, positions and margin of one account; ``desk`` its history and orders; ``floor`` where desks trade
* ``exchange`` the venue itself: synchronous, its clock and its chance come from outside
* ``faults`` the plan of what goes wrong and the log of what did; ``feed`` carries reports, or fails to
* ``calls`` what may be asked, and the answers; ``reports`` what a stream of an account is made of
* ``venue`` an account as a live venue, over a plain call
* ``wire``, ``server`` and ``client`` the same over a socket
"""

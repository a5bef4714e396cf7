"""Events to state, purely: what an account holds is a fold of its facts and decisions.

``book.py`` is the flow (one event in, one match); ``position.py`` says what a fact does to one position; ``track.py``
keeps the facts of a position in venue order however late they arrive; ``wallet.py`` keeps the cash.
"""

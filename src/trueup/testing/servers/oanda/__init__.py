"""A server that speaks OANDA's v20 protocol in front of the paper exchange: REST under ``/v3``, and its streams.

Written from the venue's API description and recorded answers, and apart from the reader and the adapter that it is to
rehearse, so that a fact misread by one is not misread by both.

* ``wire`` how OANDA writes numbers and times, and how it refuses; ``hours`` when its markets are open
* ``books`` an account as OANDA keeps it: dense transactions made from the exchange's facts; ``trades`` and ``orders``
  are kept there; ``tickets`` reads and checks what is asked for
* ``desk`` what becomes of an order, a cancel, a close; ``shows`` the answers that state something
* ``server`` tokens, limits and paths; ``streams`` the two streams; ``demo`` a world to begin with
"""

"""A server that speaks Coinbase Advanced's protocol in front of the paper exchange: REST, and the user's WebSocket.

Written from the venue's documentation, its own client and recorded answers, and apart from the reader and the adapter
that it is to rehearse, so that a fact misread by one is not misread by both.

* ``wire`` how Coinbase writes numbers, times, ids and cursors, and how it refuses; ``keys`` whose token is good
* ``products`` spot and futures as the venue lists them; ``orders`` an order, its terms and its rows
* ``tickets`` reads what is asked for
* ``history`` what happened to a portfolio, read off the exchange; ``desk`` what becomes of an order, an edit, a cancel
* ``shows`` the answers that state something; ``queries`` those that list
* ``rooms`` one portfolio with those who answer for it
* ``server`` who may ask, how often (``limits``), and paths; ``feeds`` what a connection has subscribed to
* ``demo`` a world to begin with
"""

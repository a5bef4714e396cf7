"""A server that speaks Zerodha's Kite Connect v3 in front of the paper exchange: login, REST, ticker and postbacks.

Written from the venue's documentation and recorded answers, and apart from the reader and the adapter that it is to
rehearse, so that a fact misread by one is not misread by both.

* ``wire`` how Kite writes numbers, times and answers, and how it refuses; ``hours`` its days; ``listings`` what is
  traded, of which the exchange has a market for each product; ``prices`` the day's prices
* ``books`` an account as Kite keeps it, cut into days; ``orders``, ``positions``, ``shares``, ``money`` are kept there
* ``tickets`` reads and checks orders; ``desk`` what becomes of them; ``shows`` the answers that state something
* ``sessions`` login and tokens, ``limits`` how often; ``server`` paths; ``ticker`` the WebSocket, ``ticks`` its bytes;
  ``postbacks`` what is posted to an app; ``demo`` a world to begin with
"""

"""A Hyperliquid to rehearse against: its REST and WebSocket protocol on loopback, in front of a paper exchange.

* ``assets`` markets by the venue's names and numbers; ``notation`` numbers, times and ids as it writes them
* ``history`` what happened to an account, as rows; ``state`` what the venue knows of everybody
* ``info`` what is read; ``signing`` whose a signature is; ``actions`` what is signed and done
* ``limits`` how often one may ask; ``feeds`` what a WebSocket delivers; ``server`` all of it as an ASGI application
* ``world`` one ready to start

What it leaves out says so when it is asked for: isolated margin, joined fills, order groups, and transfers that users
sign.
"""

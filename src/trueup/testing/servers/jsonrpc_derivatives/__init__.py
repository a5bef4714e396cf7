"""Coinbase's derivatives gateway and Deribit to rehearse against: one engine, its JSON-RPC, before a paper exchange.

* ``markets`` contracts by the engine's names; ``wire`` numbers, envelopes and errors; ``params`` what a request says
* ``history`` what happened to an account, as rows of ``orders`` and trades; ``cashbook`` what its money did
* ``auth`` keys, grants and tokens; ``credits`` how often one may ask
* ``desk`` one account's room: ``reads`` what it may read, ``accounts`` how it stands, ``trading`` what it may have done
* ``feeds`` the channels of a ``connection``; ``server`` all of it as an ASGI application; ``world`` two ready to start

What it leaves out says so when it is asked for: options, combos, dated futures, pairs, trailing stops, and take-profits
with a limit. An instrument is settled whenever the exchange pays its funding, where the venue does it at 08:00 UTC.
"""

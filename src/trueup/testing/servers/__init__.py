"""Servers that speak a venue's wire protocol on loopback, in front of the paper exchange, to rehearse without keys.

* ``asgi`` requests, answers, streams and WebSockets over plain ASGI; ``serving`` puts an application on a port
* ``faults`` the plan of what goes wrong on the wire; ``chaos`` carries it out; ``proxy`` cuts connections by command
* one package for each venue, or for an engine that several share
"""

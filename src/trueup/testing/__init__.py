"""Fakes and simulated worlds, shipped so that users can test what they build on trueup."""

"""Talking with a model: in the terminal, and over HTTP."""

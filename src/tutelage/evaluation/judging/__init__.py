"""Preference: the tuned model's answers against those of its opponents, judged by a person or behind an endpoint."""

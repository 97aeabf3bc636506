"""Tutelage turns a base language model into an assistant, and shows the evidence that it did."""

__version__ = "0.1.0"

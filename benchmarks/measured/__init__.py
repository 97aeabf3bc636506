"""The sections of data_bench.py: each plants, asks the product, and counts."""

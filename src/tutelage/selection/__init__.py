"""Which conversations a budget is spent on: by lot, by length, by what the base finds hard, by breadth."""

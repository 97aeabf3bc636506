"""The network and what we change in it. Torch starts here."""

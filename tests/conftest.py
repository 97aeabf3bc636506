"""What every test shares: this folder is on the path (`import tiny`)."""

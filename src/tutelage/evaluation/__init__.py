"""Whether tuning helped: answers, losses and verdicts, with the base shown at its best."""

"""From anybody's file to clean conversations. Nothing here needs torch."""

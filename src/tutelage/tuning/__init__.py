"""The main job: a recipe becomes a run."""

"""From a training checkpoint to a verified bundle."""

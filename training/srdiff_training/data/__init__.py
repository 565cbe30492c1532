"""Photos to training pairs, pairs to crops."""

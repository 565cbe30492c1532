"""Many images as one piece of work: what was done is written down, so that no image is lost, made twice or half."""

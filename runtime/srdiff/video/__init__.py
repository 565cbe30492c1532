"""Films (the extra ``video``, on Python 3.11 and newer) and animations: frames in, through the model, and out."""

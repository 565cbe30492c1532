"""Films: frames in as a stream, through the model, and out as one; the extra ``video``, on Python 3.11 and newer."""

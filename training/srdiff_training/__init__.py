"""SRDiff in MindSpore: networks and checkpoints of the two public implementations."""

"""The networks, the checkpoints of both families, and the two graphs made from them."""

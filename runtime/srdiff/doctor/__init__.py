"""What a machine's engines really compute: a small network with known steps, run on each of them."""

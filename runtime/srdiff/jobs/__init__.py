"""What to read, where results go, and how one image is made: the same behind a shell, a service and a cluster."""

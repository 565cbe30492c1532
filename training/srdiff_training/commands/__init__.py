"""What people type to train, prepare photos and evaluate; thin shells around the library."""

"""What people type; thin shells around the library."""

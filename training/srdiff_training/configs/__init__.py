"""Settings of training runs, by stage and size."""

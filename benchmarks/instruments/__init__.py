"""What the benchmark of instruments is made of."""

"""Gaussian processes, kernels and distributions, for the planner and the twins alike."""

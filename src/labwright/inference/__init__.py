"""Gaussian processes, kernels and distributions, for the planner and the twins alike."""

from labwright.inference.gp import GaussianProcess, Hyperparameters, Observations, condition, fit

__all__ = ["GaussianProcess", "Hyperparameters", "Observations", "condition", "fit"]

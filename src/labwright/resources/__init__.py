"""Instruments, simulators, clusters and people, behind one contract."""

"""Runs the command line as `python -m labwright`."""

from labwright.cli.main import main

main()

"""The gate before anything moves."""

"""The worker beside the instruments, which has the last word on every command."""

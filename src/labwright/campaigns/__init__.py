"""The loop: its campaign file, its dispatch and its recovery."""

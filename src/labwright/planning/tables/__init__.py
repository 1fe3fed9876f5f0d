"""What is asked over a table that somebody holds: its rows as trials, and the next rows."""

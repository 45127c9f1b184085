"""What start-up, size and calls cost, each beside something else that does the same, in one run."""

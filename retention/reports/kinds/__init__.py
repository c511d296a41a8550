"""The kinds of report: each has its rows, its totals, and the statements that read both."""

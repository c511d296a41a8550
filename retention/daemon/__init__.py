"""`retention serve`: runs every policy at its scheduled times, continues scheduled runs, and sends notifications."""

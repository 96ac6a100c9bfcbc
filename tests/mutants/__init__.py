"""What the tests outside the lab do not see: the program with one thing wrong in it, at every
place where it decides, calls or refuses. ``make mutants`` runs it; a report, and no test."""

"""Mutation testing, ``make mutants``: the program with one mistake at a time, wherever it decides,
calls or refuses, and the mistakes that no test outside the lab notices. A report, not a test."""

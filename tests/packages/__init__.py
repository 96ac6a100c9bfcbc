"""Tests of what is installed. They build, and so fetch packages: `make packages` runs them."""

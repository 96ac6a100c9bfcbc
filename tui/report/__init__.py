"""Readings and plans as JSON for programs and as text for people."""

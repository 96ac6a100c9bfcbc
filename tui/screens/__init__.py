"""The screens: one module for each, with a ``.tcss`` where it needs one."""

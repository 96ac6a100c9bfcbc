"""What the watch says about itself, in a file that everybody can read."""

"""What can be done with a guest: plans, and how they are carried out."""

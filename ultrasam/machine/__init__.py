"""This machine and this installation: what is wrong with it, and what it takes to run here."""

"""What is only speed: the same numbers as the plain network, sooner or with less memory."""

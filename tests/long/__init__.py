"""What takes too long for the suite, with figures at its end: ``make fuzz``, ``kills`` and ``endurance``."""

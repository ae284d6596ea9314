"""China's administrative divisions: the data, and what can be understood from it."""

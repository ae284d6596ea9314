"""What goes wrong most in results, and which of them are worth labelling."""

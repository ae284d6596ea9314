"""What stands at the far ends of the stream in tests of its near ends."""

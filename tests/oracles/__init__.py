"""The judges of the tests: each is pure, and each has a test that it can say no."""

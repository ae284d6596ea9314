"""Measures this machine: the network's ceiling, the stream, its memory, modelscope beside it.

Measuring only: nothing of it runs in production, and nothing else imports it.
"""

"""The controller: pure rules of what happens next, and the shell that reads, asks and writes.

Pure: ``decide`` (phases), ``requests`` (what people ask), ``cadence`` (when to cut), ``plan``
(what one transaction writes). Shells: ``leadership``, ``memory``, ``writer``, ``observe``,
``term``, ``service``.
"""

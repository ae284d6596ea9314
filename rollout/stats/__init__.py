"""Statistics that stay valid however often one looks: e-processes, their bounds, an e-detector.

Pure functions of counts and numbers; everything is computed in log space. The gates that use
them, and what they decide, stand in ``rollout.judge``.
"""

"""Shadow workers while a rollout runs, and none otherwise: on Kubernetes, by the phase."""

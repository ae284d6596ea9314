"""The Kubernetes tree, held against schemas, a real control plane and our own rules."""

"""A real Kubernetes control plane on this machine, without containers; its nodes are made up."""

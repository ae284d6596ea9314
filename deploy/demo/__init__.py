"""The whole story on one machine: `mgeo demo`."""

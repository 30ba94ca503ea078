"""Everything that knows pytest: the plugin, a run's state, its checks, its end, `--prove`."""

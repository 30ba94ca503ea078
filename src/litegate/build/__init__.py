"""Make artifacts: the store, the pipeline, the child process, and the tool chain that it runs."""

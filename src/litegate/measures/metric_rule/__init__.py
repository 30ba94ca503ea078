"""How metrics are computed: on all samples, on each resample, and what limits that gives."""

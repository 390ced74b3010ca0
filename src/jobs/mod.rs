//! Jobs: a YAML file of sources, steps, checks and a sink, run to a committed result.

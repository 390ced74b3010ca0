//! Lakes, formats and sinks: one folder per kind.

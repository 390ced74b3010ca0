//! Relation operators: a relation in, the same rows with more columns out. One folder each.

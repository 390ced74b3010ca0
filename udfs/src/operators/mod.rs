//! Relation operators: a relation in, relation out. One folder each.

pub mod allocate_budget;
pub mod analysis;
pub mod args;
pub mod assign_nearest;
pub mod call;
pub mod concept_clusters;
pub mod connected_components;
pub mod dedup;
pub mod docs;
pub mod embed;
pub mod exact_dedup;
pub mod farthest_first;
pub mod fit_softmax;
pub mod graph_filter;
pub mod influence;
pub mod kmeans;
pub mod materialize;
pub mod max_prior_similarity;
pub mod minhash_dedup;
pub mod multilinear_importance;
pub mod nearest_neighbors;
pub mod planner;
pub mod semantic_dedup;
pub mod spectral_clusters;
mod vector_docs;

//! Relation operators: relation in, relation out. Each has a folder; all are built on one [`frame`].

pub mod allocate_budget;
pub mod assign_nearest;
pub mod concept_clusters;
pub mod connected_components;
pub mod dedup;
pub mod embed;
pub mod exact_dedup;
pub mod examples;
pub mod farthest_first;
pub mod fit_softmax;
pub mod frame;
pub mod graph_filter;
pub mod influence;
pub mod interner;
pub mod kmeans;
pub mod materialize;
pub mod max_prior_similarity;
pub mod minhash_dedup;
pub mod multilinear_importance;
pub mod nearest_neighbors;
pub mod semantic_dedup;
pub mod spectral_clusters;
pub mod vectors;
pub mod workers;

use self::frame::list::{Entry, Operators};

/// All operators, in the order of the reference.
pub const OPERATORS: Operators = &[
    Entry::operator::<exact_dedup::ExactDedup>(),
    Entry::operator::<minhash_dedup::MinhashDedup>(),
    Entry::stage::<minhash_dedup::stage::MinhashSketch>(),
    Entry::operator::<connected_components::ConnectedComponents>(),
    Entry::planned::<materialize::plan::Materialize>(),
    Entry::operator::<fit_softmax::FitSoftmax>(),
    Entry::operator::<influence::Influence>(),
    Entry::operator::<influence::InverseHvp>(),
    Entry::operator::<graph_filter::GraphFilter>(),
    Entry::operator::<spectral_clusters::SpectralClusters>(),
    Entry::operator::<multilinear_importance::MultilinearImportance>(),
    Entry::operator::<semantic_dedup::SemanticDedup>(),
    Entry::operator::<kmeans::Kmeans>(),
    Entry::operator::<assign_nearest::AssignNearest>(),
    Entry::operator::<concept_clusters::ConceptClusters>(),
    Entry::operator::<nearest_neighbors::NearestNeighbors>(),
    Entry::operator::<max_prior_similarity::MaxPriorSimilarity>(),
    Entry::operator::<farthest_first::FarthestFirst>(),
    Entry::operator::<allocate_budget::AllocateBudget>(),
    Entry::operator::<embed::Embed>(),
];

/// Whether SQL can call a relation operator of that name.
pub fn is_operator(name: &str) -> bool {
    frame::list::sql(OPERATORS, name).is_some()
}

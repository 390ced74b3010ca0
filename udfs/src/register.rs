//! Registration of everything that limpid adds to SQL.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::execution::FunctionRegistry;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::{
    AggregateUDF, AggregateUDFImpl, Documentation, ScalarUDF, ScalarUDFImpl, WindowUDF, WindowUDFImpl,
};

use crate::functions::checks::require::Require;
use crate::functions::embedding::embed_image::EmbedImage;
use crate::functions::embedding::embed_text::EmbedText;
use crate::functions::embedding::token_nll::TokenNll;
use crate::functions::hash::xxh3_64::Xxh364;
use crate::functions::hash::xxh3_128::Xxh3128;
use crate::functions::json::arrows::JsonArrows;
use crate::functions::json::json_array_length::JsonArrayLength;
use crate::functions::json::json_extract::JsonExtract;
use crate::functions::json::json_extract_string::JsonExtractString;
use crate::functions::json::json_keys::JsonKeys;
use crate::functions::json::json_valid::JsonValid;
use crate::functions::quality::c4_clean::C4Clean;
use crate::functions::quality::c4_quality::C4QualityFunction;
use crate::functions::quality::fineweb_quality::FinewebQualityFunction;
use crate::functions::quality::gopher_quality::GopherQualityFunction;
use crate::functions::quality::gopher_repetition::GopherRepetitionFunction;
use crate::functions::quality::language::LanguageFunction;
use crate::functions::quality::pii_redact::PiiRedact;
use crate::functions::sampling::hash_uniform::HashUniform;
use crate::functions::sampling::sample_key::SampleKey;
use crate::functions::scores::answer_match::AnswerMatch;
use crate::functions::scores::el2n::El2n;
use crate::functions::scores::entropy::Entropy;
use crate::functions::scores::forgetting_events::ForgettingEvents;
use crate::functions::scores::grand::Grand;
use crate::functions::scores::histogram_entropy::HistogramEntropy;
use crate::functions::scores::js_divergence::JsDivergence;
use crate::functions::scores::kl_divergence::KlDivergence;
use crate::functions::scores::list_topk_mask::ListTopkMask;
use crate::functions::scores::margin::Margin;
use crate::functions::scores::minmax_scale::MinmaxScale;
use crate::functions::scores::neighbor_score::NeighborScore;
use crate::functions::scores::perplexity::Perplexity;
use crate::functions::scores::pvi::Pvi;
use crate::functions::scores::softmax::Softmax;
use crate::functions::scores::span_runs::SpanRuns;
use crate::functions::scores::topsis_closeness::TopsisCloseness;
use crate::functions::scores::topsis_stats::TopsisStats;
use crate::functions::scores::vec_spread::VecSpread;
use crate::functions::scores::weight_delta::WeightDelta;
use crate::functions::scores::width_bucket::WidthBucket;
use crate::functions::scores::zscore::Zscore;
use crate::functions::sketch::hamming_distance::HammingDistance;
use crate::functions::sketch::lsh_bands::LshBands;
use crate::functions::sketch::minhash::Minhash;
use crate::functions::sketch::minhash_jaccard::MinhashJaccard;
use crate::functions::sketch::simhash::Simhash;
use crate::functions::text::char_shingles::CharShingles;
use crate::functions::text::containment::Containment;
use crate::functions::text::jaccard::Jaccard;
use crate::functions::text::normalize_text::NormalizeText;
use crate::functions::text::regexp_extract::RegexpExtract;
use crate::functions::text::regexp_extract_all::RegexpExtractAll;
use crate::functions::text::string_to_array::StringToArray;
use crate::functions::text::word_shingles::WordShingles;
use crate::functions::vector::cosine_similarity::CosineSimilarity;
use crate::functions::vector::frechet_distance::FrechetDistance;
use crate::functions::vector::gaussian_moments::GaussianMoments;
use crate::functions::vector::l2_distance::L2Distance;
use crate::functions::vector::l2_normalize::L2Normalize;
use crate::functions::vector::random_projection::RandomProjection;
use crate::functions::vector::vec_avg::VecAvg;
use crate::functions::vector::vec_scale::VecScale;
use crate::operators::OPERATORS;
use crate::operators::frame::list::Sql;
use crate::operators::frame::planner::OperatorPlanner;

/// The documentation of an operator, for the reference.
#[derive(Debug, Clone)]
pub struct OperatorDoc {
    /// The SQL name.
    pub name: &'static str,
    /// The documentation, in the same form as that of a function.
    pub documentation: Documentation,
}

/// All relation operators that SQL can call, in the order of the reference.
pub fn operators() -> Vec<OperatorDoc> {
    let called = OPERATORS.iter().filter_map(|entry| entry.sql);
    let entry =
        |sql: Sql| OperatorDoc { name: sql.name, documentation: sql.reference.documentation(sql.name, sql.arguments) };
    called.map(entry).collect()
}

/// All scalar functions, in the order of the reference.
pub fn scalar_functions() -> Vec<Arc<ScalarUDF>> {
    vec![
        udf::<Xxh364>(),
        udf::<Xxh3128>(),
        udf::<NormalizeText>(),
        udf::<RegexpExtract>(),
        udf::<RegexpExtractAll>(),
        udf::<JsonExtract>(),
        udf::<JsonExtractString>(),
        udf::<JsonArrayLength>(),
        udf::<JsonKeys>(),
        udf::<JsonValid>(),
        udf::<WordShingles>(),
        udf::<CharShingles>(),
        udf::<Jaccard>(),
        udf::<Containment>(),
        udf::<Minhash>(),
        udf::<MinhashJaccard>(),
        udf::<LshBands>(),
        udf::<Simhash>(),
        udf::<HammingDistance>(),
        udf::<HashUniform>(),
        udf::<SampleKey>(),
        udf::<C4Clean>(),
        udf::<C4QualityFunction>(),
        udf::<FinewebQualityFunction>(),
        udf::<GopherQualityFunction>(),
        udf::<GopherRepetitionFunction>(),
        udf::<LanguageFunction>(),
        udf::<PiiRedact>(),
        udf::<CosineSimilarity>(),
        udf::<L2Distance>(),
        udf::<L2Normalize>(),
        udf::<RandomProjection>(),
        udf::<VecScale>(),
        udf::<FrechetDistance>(),
        udf::<EmbedText>(),
        udf::<EmbedImage>(),
        udf::<TokenNll>(),
        udf::<Softmax>(),
        udf::<Entropy>(),
        udf::<KlDivergence>(),
        udf::<JsDivergence>(),
        udf::<El2n>(),
        udf::<Margin>(),
        udf::<Grand>(),
        udf::<WeightDelta>(),
        udf::<Pvi>(),
        udf::<Perplexity>(),
        udf::<NeighborScore>(),
        udf::<ListTopkMask>(),
        udf::<SpanRuns>(),
        udf::<TopsisCloseness>(),
        udf::<AnswerMatch>(),
        udf::<WidthBucket>(),
        udf::<Require>(),
    ]
}

/// All aggregate functions, in the order of the reference.
pub fn aggregate_functions() -> Vec<Arc<AggregateUDF>> {
    vec![
        udaf::<VecAvg>(),
        udaf::<GaussianMoments>(),
        udaf::<VecSpread>(),
        udaf::<ForgettingEvents>(),
        udaf::<HistogramEntropy>(),
        udaf::<TopsisStats>(),
    ]
}

/// All window functions, in the order of the reference.
pub fn window_functions() -> Vec<Arc<WindowUDF>> {
    vec![udwf::<MinmaxScale>(), udwf::<Zscore>()]
}

fn udaf<F: AggregateUDFImpl + Default + 'static>() -> Arc<AggregateUDF> {
    Arc::new(AggregateUDF::new_from_impl(F::default()))
}

fn udwf<F: WindowUDFImpl + Default + 'static>() -> Arc<WindowUDF> {
    Arc::new(WindowUDF::new_from_impl(F::default()))
}

fn udf<F: ScalarUDFImpl + Default + 'static>() -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::new_from_impl(F::default()))
}

/// Adds all functions and operators to a session.
///
/// # Errors
/// The session rejects a function.
pub fn register(state: &mut SessionState) -> Result<()> {
    state.register_expr_planner(Arc::new(JsonArrows))?;
    if let Ok(to_char) = state.udf("to_char") {
        // The name of this function in DuckDB and Python.
        state.register_udf(Arc::new(to_char.as_ref().clone().with_aliases(["strftime"])))?;
    }
    if let Ok(plain) = state.udf("string_to_array") {
        state.register_udf(Arc::new(StringToArray::new(plain).into()))?;
    }
    for udf in scalar_functions().into_iter().chain(crate::checked::scalar_functions()) {
        state.register_udf(udf)?;
    }
    for udaf in aggregate_functions().into_iter().chain(crate::checked::aggregate_functions()) {
        state.register_udaf(udaf)?;
    }
    for udwf in window_functions() {
        state.register_udwf(udwf)?;
    }
    state.register_relation_planner(Arc::new(OperatorPlanner { operators: OPERATORS }))
}

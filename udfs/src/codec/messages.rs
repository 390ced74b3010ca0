//! The messages, in protobuf.

use arrow::compute::SortOptions;
use datafusion::common::{Column, DataFusionError, Result, TableReference, internal_datafusion_err, internal_err};
use datafusion::logical_expr::{Expr, SortExpr};

use super::calls::{CallExecMessage, CallNodeMessage};
use crate::kernels::presets::UnknownPreset;
use crate::kernels::shingler::Unit;
use crate::operators::analysis::Analysis;
use crate::operators::dedup::{Linkage, Rule, Similar};
use crate::operators::minhash_dedup::sketch::Sketch;
use crate::operators::semantic_dedup::{Mode, Semantic};

/// A logical node of ours.
#[derive(Clone, PartialEq, prost::Message)]
pub struct LogicalMessage {
    #[prost(oneof = "LogicalKind", tags = "1, 2, 3, 4, 5")]
    pub kind: Option<LogicalKind>,
}

/// Which one.
#[derive(Clone, PartialEq, prost::Oneof)]
pub enum LogicalKind {
    #[prost(message, tag = "1")]
    Dedup(DedupNodeMessage),
    #[prost(message, tag = "2")]
    Components(ComponentsNodeMessage),
    #[prost(message, tag = "3")]
    Call(CallNodeMessage),
    #[prost(message, tag = "4")]
    Analysis(AnalysisNodeMessage),
    #[prost(message, tag = "5")]
    Materialize(MaterializeMessage),
}

/// A physical node of ours.
#[derive(Clone, PartialEq, prost::Message)]
pub struct PhysicalMessage {
    #[prost(oneof = "PhysicalKind", tags = "1, 2, 3, 4, 5, 6")]
    pub kind: Option<PhysicalKind>,
}

/// Which one.
#[derive(Clone, PartialEq, prost::Oneof)]
pub enum PhysicalKind {
    #[prost(message, tag = "1")]
    Dedup(DedupExecMessage),
    #[prost(message, tag = "2")]
    Components(ComponentsExecMessage),
    #[prost(message, tag = "3")]
    Sketch(SketchExecMessage),
    #[prost(message, tag = "4")]
    Call(CallExecMessage),
    #[prost(message, tag = "5")]
    Analysis(AnalysisExecMessage),
    #[prost(message, tag = "6")]
    Materialize(MaterializeMessage),
}

/// Has its input only.
#[derive(Clone, PartialEq, prost::Message)]
pub struct MaterializeMessage {}

#[derive(Clone, PartialEq, prost::Message)]
pub struct DedupNodeMessage {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(message, optional, tag = "2")]
    pub rule: Option<RuleMessage>,
    #[prost(message, optional, tag = "3")]
    pub id: Option<ColumnMessage>,
    #[prost(message, repeated, tag = "4")]
    pub order_by: Vec<OrderMessage>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct ComponentsNodeMessage {
    #[prost(message, optional, tag = "1")]
    pub source: Option<ColumnMessage>,
    #[prost(message, optional, tag = "2")]
    pub target: Option<ColumnMessage>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct DedupExecMessage {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(message, optional, tag = "2")]
    pub rule: Option<RuleMessage>,
    #[prost(uint64, tag = "3")]
    pub id: u64,
    #[prost(message, repeated, tag = "4")]
    pub order_by: Vec<OrderMessage>,
    #[prost(uint64, tag = "5")]
    pub sketch: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct ComponentsExecMessage {
    #[prost(uint64, tag = "1")]
    pub source: u64,
    #[prost(uint64, tag = "2")]
    pub target: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct AnalysisNodeMessage {
    #[prost(message, repeated, tag = "1")]
    pub columns: Vec<ColumnMessage>,
    #[prost(oneof = "Analysis", tags = "2, 3, 4, 5, 6")]
    pub analysis: Option<Analysis>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct AnalysisExecMessage {
    #[prost(uint64, repeated, tag = "1")]
    pub columns: Vec<u64>,
    #[prost(oneof = "Analysis", tags = "2, 3, 4, 5, 6")]
    pub analysis: Option<Analysis>,
}

/// Both absent: equal text.
#[derive(Clone, PartialEq, prost::Message)]
pub struct RuleMessage {
    #[prost(message, optional, tag = "1")]
    pub similar: Option<SimilarMessage>,
    #[prost(message, optional, tag = "2")]
    pub semantic: Option<SemanticMessage>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct SemanticMessage {
    #[prost(fixed64, tag = "1")]
    pub threshold_bits: u64,
    #[prost(bool, tag = "2")]
    pub prior: bool,
    #[prost(uint64, tag = "3")]
    pub cells: u64,
    #[prost(fixed64, tag = "4")]
    pub recall_bits: u64,
    #[prost(uint64, tag = "5")]
    pub seed: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct SimilarMessage {
    #[prost(fixed64, tag = "1")]
    pub threshold_bits: u64,
    #[prost(bool, tag = "2")]
    pub transitive: bool,
    #[prost(uint32, tag = "3")]
    pub bucket_limit: u32,
    #[prost(message, optional, tag = "4")]
    pub sketch: Option<SketchMessage>,
}

/// `own` or `preset`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SketchMessage {
    #[prost(message, optional, tag = "1")]
    pub own: Option<OwnSketchMessage>,
    #[prost(string, optional, tag = "2")]
    pub preset: Option<String>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct OwnSketchMessage {
    #[prost(string, tag = "1")]
    pub unit: String,
    #[prost(uint32, tag = "2")]
    pub ngram: u32,
    #[prost(uint32, tag = "3")]
    pub bands: u32,
    #[prost(uint32, tag = "4")]
    pub rows: u32,
    #[prost(fixed64, tag = "5")]
    pub seed: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct SketchExecMessage {
    #[prost(message, optional, tag = "1")]
    pub sketch: Option<SketchMessage>,
    #[prost(uint64, tag = "2")]
    pub column: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct ColumnMessage {
    /// Catalog, schema and table, or the last ones of these; nothing where the column is not qualified.
    #[prost(string, repeated, tag = "1")]
    pub relation: Vec<String>,
    #[prost(string, tag = "2")]
    pub name: String,
}

/// A column of a survivor order: by name in a logical node, by index in a physical one.
#[derive(Clone, PartialEq, prost::Message)]
pub struct OrderMessage {
    #[prost(message, optional, tag = "1")]
    pub column: Option<ColumnMessage>,
    #[prost(uint64, tag = "2")]
    pub index: u64,
    #[prost(bool, tag = "3")]
    pub descending: bool,
    #[prost(bool, tag = "4")]
    pub nulls_first: bool,
}

impl From<Rule> for RuleMessage {
    fn from(rule: Rule) -> Self {
        match rule {
            Rule::Exact => Self { similar: None, semantic: None },
            Rule::Similar(Similar { sketch, threshold_bits, linkage, bucket_limit }) => {
                let transitive = linkage == Linkage::Transitive;
                let sketch = Some(sketch.into());
                let similar = SimilarMessage { threshold_bits, transitive, bucket_limit, sketch };
                Self { similar: Some(similar), semantic: None }
            }
            Rule::Semantic(Semantic { threshold_bits, mode, cells, recall_bits, seed }) => {
                let prior = mode == Mode::Prior;
                let semantic = SemanticMessage { threshold_bits, prior, cells, recall_bits, seed };
                Self { similar: None, semantic: Some(semantic) }
            }
        }
    }
}

impl TryFrom<RuleMessage> for Rule {
    type Error = DataFusionError;

    fn try_from(RuleMessage { similar, semantic }: RuleMessage) -> Result<Self> {
        Ok(match (similar, semantic) {
            (None, None) => Self::Exact,
            (Some(SimilarMessage { threshold_bits, transitive, bucket_limit, sketch }), None) => {
                let linkage = if transitive { Linkage::Transitive } else { Linkage::Direct };
                let sketch = required(sketch, "sketch")?.try_into()?;
                Self::Similar(Similar { sketch, threshold_bits, linkage, bucket_limit })
            }
            (None, Some(SemanticMessage { threshold_bits, prior, cells, recall_bits, seed })) => {
                let mode = if prior { Mode::Prior } else { Mode::Greedy };
                Self::Semantic(Semantic { threshold_bits, mode, cells, recall_bits, seed })
            }
            (Some(_), Some(_)) => return internal_err!("a message of the cluster has two rules"),
        })
    }
}

impl From<Sketch> for SketchMessage {
    fn from(sketch: Sketch) -> Self {
        match sketch {
            Sketch::Own { unit, ngram, bands, rows, seed } => {
                let unit = unit.name().to_owned();
                Self { own: Some(OwnSketchMessage { unit, ngram, bands, rows, seed }), preset: None }
            }
            Sketch::Preset(preset) => Self { own: None, preset: Some(preset.name().to_owned()) },
        }
    }
}

impl TryFrom<SketchMessage> for Sketch {
    type Error = DataFusionError;

    fn try_from(SketchMessage { own, preset }: SketchMessage) -> Result<Self> {
        if let Some(OwnSketchMessage { unit, ngram, bands, rows, seed }) = own {
            let unit = required(Unit::parse(&unit), "unit")?;
            return Ok(Self::Own { unit, ngram, bands, rows, seed });
        }
        let preset = required(preset, "preset")?.parse();
        preset.map(Self::Preset).map_err(|e: UnknownPreset| internal_datafusion_err!("{e}"))
    }
}

impl From<&Column> for ColumnMessage {
    fn from(column: &Column) -> Self {
        let Column { relation, name, spans: _ } = column;
        Self { relation: relation.as_ref().map(TableReference::to_vec).unwrap_or_default(), name: name.clone() }
    }
}

impl From<ColumnMessage> for Column {
    fn from(ColumnMessage { relation, name }: ColumnMessage) -> Self {
        let mut parts = relation.into_iter().rev();
        let relation = match (parts.next(), parts.next(), parts.next()) {
            (None, _, _) => None,
            (Some(table), None, _) => Some(TableReference::bare(table)),
            (Some(table), Some(schema), None) => Some(TableReference::partial(schema, table)),
            (Some(table), Some(schema), Some(catalog)) => Some(TableReference::full(catalog, schema, table)),
        };
        Self::new(relation, name)
    }
}

impl OrderMessage {
    /// A column by name.
    pub fn try_from_sort(SortExpr { expr, asc, nulls_first }: &SortExpr) -> Result<Self> {
        match expr {
            Expr::Column(column) => {
                Ok(Self { column: Some(column.into()), index: 0, descending: !asc, nulls_first: *nulls_first })
            }
            other => internal_err!("an order by `{other}` is not a column"),
        }
    }

    /// As it was.
    pub fn into_sort(self) -> Result<SortExpr> {
        let Self { column, index: _, descending, nulls_first } = self;
        Ok(Expr::Column(required(column, "column")?.into()).sort(!descending, nulls_first))
    }

    /// A column by index.
    pub fn from_index((column, options): &(usize, SortOptions)) -> Self {
        let SortOptions { descending, nulls_first } = *options;
        Self { column: None, index: *column as u64, descending, nulls_first }
    }

    /// As it was.
    pub fn into_index(self) -> (usize, SortOptions) {
        let Self { column: _, index, descending, nulls_first } = self;
        (index as usize, SortOptions { descending, nulls_first })
    }
}

/// A field that every sender sets.
pub fn required<T>(value: Option<T>, what: &str) -> Result<T> {
    match value {
        Some(value) => Ok(value),
        None => internal_err!("a message of the cluster lacks its {what}"),
    }
}

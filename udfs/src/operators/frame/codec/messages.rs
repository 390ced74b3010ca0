//! The messages, as protobuf.

use arrow::compute::SortOptions;
use datafusion::common::{Column, Result, TableReference, internal_datafusion_err, internal_err};
use datafusion::logical_expr::{Expr, SortExpr};
use prost::Message;

use crate::operators::frame::list::{self, Operators};
use crate::operators::frame::operator::AnyOperator;

/// A logical node; it names columns.
#[derive(Clone, PartialEq, Message)]
pub struct NodeMessage {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(string, tag = "2")]
    pub parameters: String,
    #[prost(message, repeated, tag = "3")]
    pub columns: Vec<ColumnsMessage>,
    #[prost(message, repeated, tag = "4")]
    pub order_by: Vec<OrderMessage>,
}

/// A physical node; it refers to columns by index.
#[derive(Clone, PartialEq, Message)]
pub struct ExecMessage {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(string, tag = "2")]
    pub parameters: String,
    #[prost(message, repeated, tag = "3")]
    pub columns: Vec<PlacesMessage>,
    #[prost(message, repeated, tag = "4")]
    pub order_by: Vec<OrderMessage>,
}

/// The columns of one input, by name.
#[derive(Clone, PartialEq, Message)]
pub struct ColumnsMessage {
    #[prost(message, repeated, tag = "1")]
    pub columns: Vec<ColumnMessage>,
}

/// The columns of one input, by index.
#[derive(Clone, PartialEq, Message)]
pub struct PlacesMessage {
    #[prost(uint64, repeated, tag = "1")]
    pub columns: Vec<u64>,
}

#[derive(Clone, PartialEq, Message)]
pub struct ColumnMessage {
    /// Catalog, schema and table, or the last ones of these; empty if the column is not qualified.
    #[prost(string, repeated, tag = "1")]
    pub relation: Vec<String>,
    #[prost(string, tag = "2")]
    pub name: String,
}

/// A column of the survivor order: by name in a logical node, by index in a physical one.
#[derive(Clone, PartialEq, Message)]
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

/// Writes a byte that identifies the kind of message, then the message.
pub fn write(kind: u8, message: &impl Message, buf: &mut Vec<u8>) -> Result<()> {
    buf.push(kind);
    message.encode(buf).map_err(|e| internal_datafusion_err!("{e}"))
}

/// Decodes a message from `bytes`.
pub fn read<M: Message + Default>(bytes: &[u8]) -> Result<M> {
    M::decode(bytes).map_err(|e| internal_datafusion_err!("{e}"))
}

/// Decodes the operator `name` from its parameters.
pub fn operator(operators: Operators, name: &str, parameters: &str) -> Result<AnyOperator> {
    match list::node(operators, name) {
        Some(node) => (node.read)(parameters),
        None => internal_err!("a message of the cluster names the unknown operator `{name}`"),
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
    /// Encodes a sort column by name.
    pub fn try_from_sort(SortExpr { expr, asc, nulls_first }: &SortExpr) -> Result<Self> {
        match expr {
            Expr::Column(column) => {
                Ok(Self { column: Some(column.into()), index: 0, descending: !asc, nulls_first: *nulls_first })
            }
            other => internal_err!("an order by `{other}` is not a column"),
        }
    }

    /// Decodes a sort column by name.
    pub fn into_sort(self) -> Result<SortExpr> {
        let Self { column, index: _, descending, nulls_first } = self;
        Ok(Expr::Column(required(column, "column")?.into()).sort(!descending, nulls_first))
    }

    /// Encodes a sort column by index.
    pub fn from_index((column, options): &(usize, SortOptions)) -> Self {
        let SortOptions { descending, nulls_first } = *options;
        Self { column: None, index: *column as u64, descending, nulls_first }
    }

    /// Decodes a sort column by index.
    pub fn into_index(self) -> (usize, SortOptions) {
        let Self { column: _, index, descending, nulls_first } = self;
        (index as usize, SortOptions { descending, nulls_first })
    }
}

/// Unwraps a field that every sender sets; an error if it is missing.
pub fn required<T>(value: Option<T>, what: &str) -> Result<T> {
    match value {
        Some(value) => Ok(value),
        None => internal_err!("a message of the cluster lacks its {what}"),
    }
}

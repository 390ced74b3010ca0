//! Serialization of logical nodes, which the client sends to the scheduler.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;
use datafusion::common::{Result, TableReference, internal_err};
use datafusion::datasource::file_format::FileFormatFactory;
use datafusion::execution::TaskContext;
use datafusion::logical_expr::{AggregateUDF, Extension, LogicalPlan, ScalarUDF, WindowUDF};
use datafusion_proto::logical_plan::LogicalExtensionCodec;

use super::messages::{ColumnsMessage, NodeMessage, OrderMessage, operator, read, write};
use super::{MATERIALIZE, OPERATOR, OTHERS};
use crate::operators::frame::list::Operators;
use crate::operators::frame::materialize::node::MaterializeNode;
use crate::operators::frame::node::OperatorNode;

/// Serializes the nodes of operators, and passes all others to the wrapped codec.
#[derive(Debug)]
pub struct OperatorLogicalCodec {
    /// The operators whose nodes can be decoded.
    pub operators: Operators,
    /// The wrapped codec.
    pub others: Arc<dyn LogicalExtensionCodec>,
}

impl LogicalExtensionCodec for OperatorLogicalCodec {
    fn try_encode(&self, node: &Extension, buf: &mut Vec<u8>) -> Result<()> {
        if let Some(node) = node.node.as_any().downcast_ref::<OperatorNode>() {
            let columns =
                node.columns.iter().map(|list| ColumnsMessage { columns: list.iter().map(Into::into).collect() });
            let message = NodeMessage {
                name: node.operator.name().to_owned(),
                parameters: node.operator.parameters().to_owned(),
                columns: columns.collect(),
                order_by: node.order_by.iter().map(OrderMessage::try_from_sort).collect::<Result<_>>()?,
            };
            return write(OPERATOR, &message, buf);
        }
        if node.node.as_any().is::<MaterializeNode>() {
            buf.push(MATERIALIZE);
            return Ok(());
        }
        buf.push(OTHERS);
        self.others.try_encode(node, buf)
    }

    fn try_decode(&self, buf: &[u8], inputs: &[LogicalPlan], ctx: &TaskContext) -> Result<Extension> {
        match (buf.split_first(), inputs) {
            (Some((&OTHERS, message)), _) => self.others.try_decode(message, inputs, ctx),
            (Some((&OPERATOR, message)), _) => {
                let NodeMessage { name, parameters, columns, order_by } = read(message)?;
                let columns = columns.into_iter().map(|list| list.columns.into_iter().map(Into::into).collect());
                let order_by = order_by.into_iter().map(OrderMessage::into_sort).collect::<Result<_>>()?;
                let operator = operator(self.operators, &name, &parameters)?;
                let node = OperatorNode::try_new(operator, inputs.to_vec(), columns.collect(), order_by)?;
                Ok(Extension { node: Arc::new(node) })
            }
            (Some((&MATERIALIZE, [])), [input]) => {
                Ok(Extension { node: Arc::new(MaterializeNode { input: input.clone() }) })
            }
            _ => internal_err!("a logical node of the cluster is of no known kind"),
        }
    }

    fn try_decode_table_provider(
        &self,
        buf: &[u8],
        table: &TableReference,
        schema: SchemaRef,
        ctx: &TaskContext,
    ) -> Result<Arc<dyn TableProvider>> {
        self.others.try_decode_table_provider(buf, table, schema, ctx)
    }

    fn try_encode_table_provider(
        &self,
        table: &TableReference,
        node: Arc<dyn TableProvider>,
        buf: &mut Vec<u8>,
    ) -> Result<()> {
        self.others.try_encode_table_provider(table, node, buf)
    }

    fn try_decode_file_format(&self, buf: &[u8], ctx: &TaskContext) -> Result<Arc<dyn FileFormatFactory>> {
        self.others.try_decode_file_format(buf, ctx)
    }

    fn try_encode_file_format(&self, buf: &mut Vec<u8>, node: Arc<dyn FileFormatFactory>) -> Result<()> {
        self.others.try_encode_file_format(buf, node)
    }

    fn try_decode_udf(&self, name: &str, buf: &[u8]) -> Result<Arc<ScalarUDF>> {
        self.others.try_decode_udf(name, buf)
    }

    fn try_encode_udf(&self, node: &ScalarUDF, buf: &mut Vec<u8>) -> Result<()> {
        self.others.try_encode_udf(node, buf)
    }

    fn try_decode_udaf(&self, name: &str, buf: &[u8]) -> Result<Arc<AggregateUDF>> {
        self.others.try_decode_udaf(name, buf)
    }

    fn try_encode_udaf(&self, node: &AggregateUDF, buf: &mut Vec<u8>) -> Result<()> {
        self.others.try_encode_udaf(node, buf)
    }

    fn try_decode_udwf(&self, name: &str, buf: &[u8]) -> Result<Arc<WindowUDF>> {
        self.others.try_decode_udwf(name, buf)
    }

    fn try_encode_udwf(&self, node: &WindowUDF, buf: &mut Vec<u8>) -> Result<()> {
        self.others.try_encode_udwf(node, buf)
    }
}

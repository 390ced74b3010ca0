//! Logical nodes: from the client to the scheduler.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;
use datafusion::common::{Result, TableReference, internal_datafusion_err, internal_err};
use datafusion::datasource::file_format::FileFormatFactory;
use datafusion::execution::TaskContext;
use datafusion::logical_expr::{AggregateUDF, Extension, LogicalPlan, ScalarUDF, WindowUDF};
use datafusion_proto::logical_plan::LogicalExtensionCodec;
use prost::Message;

use super::calls::{CallNodeMessage, ColumnsMessage};
use super::messages::{
    AnalysisNodeMessage, ComponentsNodeMessage, DedupNodeMessage, LogicalKind, LogicalMessage, MaterializeMessage,
    OrderMessage, required,
};
use super::{OTHERS, OURS};
use crate::operators::analysis::node::AnalysisNode;
use crate::operators::call::node::CallNode;
use crate::operators::connected_components::node::ComponentsNode;
use crate::operators::dedup::node::DedupNode;
use crate::operators::materialize::node::MaterializeNode;

/// Our nodes, and everything else through `others`.
#[derive(Debug)]
pub struct OperatorLogicalCodec {
    /// The wrapped codec.
    pub others: Arc<dyn LogicalExtensionCodec>,
}

impl LogicalExtensionCodec for OperatorLogicalCodec {
    fn try_encode(&self, node: &Extension, buf: &mut Vec<u8>) -> Result<()> {
        let kind = if let Some(node) = node.node.as_any().downcast_ref::<DedupNode>() {
            let DedupNode { name, rule, id, order_by, input: _, schema: _ } = node;
            let order_by = order_by.iter().map(OrderMessage::try_from_sort);
            LogicalKind::Dedup(DedupNodeMessage {
                name: name.clone(),
                rule: Some((*rule).into()),
                id: Some(id.into()),
                order_by: order_by.collect::<Result<_>>()?,
            })
        } else if let Some(node) = node.node.as_any().downcast_ref::<ComponentsNode>() {
            let ComponentsNode { source, target, input: _, schema: _ } = node;
            LogicalKind::Components(ComponentsNodeMessage { source: Some(source.into()), target: Some(target.into()) })
        } else if let Some(node) = node.node.as_any().downcast_ref::<AnalysisNode>() {
            let AnalysisNode { analysis, columns, input: _, schema: _ } = node;
            let columns = columns.iter().map(Into::into).collect();
            LogicalKind::Analysis(AnalysisNodeMessage { columns, analysis: Some(analysis.clone()) })
        } else if let Some(node) = node.node.as_any().downcast_ref::<CallNode>() {
            let CallNode { call, columns, order_by, inputs: _, passed: _, schema: _ } = node;
            let columns = columns.iter().map(|list| ColumnsMessage { columns: list.iter().map(Into::into).collect() });
            let order_by = order_by.iter().map(OrderMessage::try_from_sort);
            LogicalKind::Call(CallNodeMessage {
                call: Some(call.into()),
                columns: columns.collect(),
                order_by: order_by.collect::<Result<_>>()?,
            })
        } else if let Some(node) = node.node.as_any().downcast_ref::<MaterializeNode>() {
            let MaterializeNode { input: _ } = node;
            LogicalKind::Materialize(MaterializeMessage {})
        } else {
            buf.push(OTHERS);
            return self.others.try_encode(node, buf);
        };
        buf.push(OURS);
        LogicalMessage { kind: Some(kind) }.encode(buf).map_err(|e| internal_datafusion_err!("{e}"))
    }

    fn try_decode(&self, buf: &[u8], inputs: &[LogicalPlan], ctx: &TaskContext) -> Result<Extension> {
        let message = match buf.split_first() {
            Some((&OURS, message)) => message,
            Some((&OTHERS, message)) => return self.others.try_decode(message, inputs, ctx),
            _ => return internal_err!("a logical node of the cluster is of no known kind"),
        };
        let message = LogicalMessage::decode(message).map_err(|e| internal_datafusion_err!("{e}"))?;
        let kind = match required(message.kind, "kind")? {
            LogicalKind::Call(CallNodeMessage { call, columns, order_by }) => {
                let call = required(call, "call")?.try_into()?;
                let columns = columns.into_iter().map(|list| list.columns.into_iter().map(Into::into).collect());
                let order_by = order_by.into_iter().map(OrderMessage::into_sort).collect::<Result<_>>()?;
                let node = CallNode::try_new(call, inputs.to_vec(), columns.collect(), order_by)?;
                return Ok(Extension { node: Arc::new(node) });
            }
            other => other,
        };
        let [input] = inputs else { return internal_err!("an operator takes one input, not {}", inputs.len()) };
        Ok(match kind {
            LogicalKind::Call(_) => return internal_err!("a call was decoded above"),
            LogicalKind::Dedup(DedupNodeMessage { name, rule, id, order_by }) => {
                let order_by = order_by.into_iter().map(OrderMessage::into_sort);
                let order_by = order_by.collect::<Result<_>>()?;
                let (rule, id) = (required(rule, "rule")?.try_into()?, required(id, "id")?.into());
                Extension { node: Arc::new(DedupNode::try_new(&name, input.clone(), rule, id, order_by)?) }
            }
            LogicalKind::Components(ComponentsNodeMessage { source, target }) => {
                let (source, target) = (required(source, "source")?.into(), required(target, "target")?.into());
                Extension { node: Arc::new(ComponentsNode::try_new(input.clone(), source, target)?) }
            }
            LogicalKind::Analysis(AnalysisNodeMessage { columns, analysis }) => {
                let columns = columns.into_iter().map(Into::into).collect();
                let node = AnalysisNode::try_new(input.clone(), required(analysis, "analysis")?, columns)?;
                Extension { node: Arc::new(node) }
            }
            LogicalKind::Materialize(MaterializeMessage {}) => {
                Extension { node: Arc::new(MaterializeNode { input: input.clone() }) }
            }
        })
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

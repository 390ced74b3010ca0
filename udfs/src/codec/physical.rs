//! Physical nodes: from the scheduler to the executors.

use std::sync::Arc;

use datafusion::common::{Result, internal_datafusion_err, internal_err};
use datafusion::execution::TaskContext;
use datafusion::logical_expr::{AggregateUDF, ScalarUDF, WindowUDF};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::ExecutionPlan;
use datafusion_proto::physical_plan::{PhysicalExtensionCodec, PhysicalProtoConverterExtension};
use prost::Message;

use super::calls::{CallExecMessage, IndexesMessage};
use super::messages::{
    AnalysisExecMessage, ComponentsExecMessage, DedupExecMessage, MaterializeMessage, OrderMessage, PhysicalKind,
    PhysicalMessage, SketchExecMessage, required,
};
use super::{OTHERS, OURS};
use crate::operators::analysis::exec::AnalysisExec;
use crate::operators::call::exec::{CallExec, CallSpec};
use crate::operators::connected_components::exec::ComponentsExec;
use crate::operators::dedup::exec::{DedupExec, DedupSpec};
use crate::operators::materialize::exec::MaterializeExec;
use crate::operators::minhash_dedup::exec::SketchExec;

/// Our nodes, and everything else through `others`.
#[derive(Debug)]
pub struct OperatorPhysicalCodec {
    /// The wrapped codec.
    pub others: Arc<dyn PhysicalExtensionCodec>,
}

impl PhysicalExtensionCodec for OperatorPhysicalCodec {
    fn try_encode(
        &self,
        node: Arc<dyn ExecutionPlan>,
        buf: &mut Vec<u8>,
        converter: &dyn PhysicalProtoConverterExtension,
    ) -> Result<()> {
        let kind = if let Some(node) = node.downcast_ref::<DedupExec>() {
            let DedupExec { spec, input: _, cache: _, metrics: _ } = node;
            let DedupSpec { name, rule, id, order_by, sketch } = spec;
            let order_by = order_by.iter().map(OrderMessage::from_index);
            PhysicalKind::Dedup(DedupExecMessage {
                name: name.clone(),
                rule: Some((*rule).into()),
                id: *id as u64,
                order_by: order_by.collect(),
                sketch: *sketch as u64,
            })
        } else if let Some(node) = node.downcast_ref::<ComponentsExec>() {
            let ComponentsExec { source, target, input: _, cache: _, metrics: _ } = node;
            PhysicalKind::Components(ComponentsExecMessage { source: *source as u64, target: *target as u64 })
        } else if let Some(node) = node.downcast_ref::<SketchExec>() {
            let SketchExec { sketch, column, input: _, cache: _, metrics: _, shared: _ } = node;
            PhysicalKind::Sketch(SketchExecMessage { sketch: Some((*sketch).into()), column: *column as u64 })
        } else if let Some(node) = node.downcast_ref::<AnalysisExec>() {
            let AnalysisExec { analysis, columns, input: _, cache: _, metrics: _ } = node;
            let columns = columns.iter().map(|column| *column as u64).collect();
            PhysicalKind::Analysis(AnalysisExecMessage { columns, analysis: Some(analysis.clone()) })
        } else if let Some(node) = node.downcast_ref::<CallExec>() {
            let CallExec { spec, inputs: _, centroids: _, cache: _, metrics: _ } = node;
            let CallSpec { call, columns, order_by } = spec;
            let indexes = |list: &Vec<usize>| IndexesMessage { columns: list.iter().map(|c| *c as u64).collect() };
            PhysicalKind::Call(CallExecMessage {
                call: Some(call.into()),
                columns: columns.iter().map(indexes).collect(),
                order_by: order_by.iter().map(OrderMessage::from_index).collect(),
            })
        } else if let Some(node) = node.downcast_ref::<MaterializeExec>() {
            let MaterializeExec { input: _, slots: _, metrics: _ } = node;
            PhysicalKind::Materialize(MaterializeMessage {})
        } else {
            buf.push(OTHERS);
            return self.others.try_encode(node, buf, converter);
        };
        buf.push(OURS);
        PhysicalMessage { kind: Some(kind) }.encode(buf).map_err(|e| internal_datafusion_err!("{e}"))
    }

    fn try_decode(
        &self,
        buf: &[u8],
        inputs: &[Arc<dyn ExecutionPlan>],
        ctx: &TaskContext,
        converter: &dyn PhysicalProtoConverterExtension,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let message = match buf.split_first() {
            Some((&OURS, message)) => message,
            Some((&OTHERS, message)) => return self.others.try_decode(message, inputs, ctx, converter),
            _ => return internal_err!("a physical node of the cluster is of no known kind"),
        };
        let message = PhysicalMessage::decode(message).map_err(|e| internal_datafusion_err!("{e}"))?;
        let kind = match required(message.kind, "kind")? {
            PhysicalKind::Call(CallExecMessage { call, columns, order_by }) => {
                let call = required(call, "call")?.try_into()?;
                let columns = columns.iter().map(|list| list.columns.iter().map(|c| *c as usize).collect()).collect();
                let order_by = order_by.into_iter().map(OrderMessage::into_index).collect();
                let spec = CallSpec { call, columns, order_by };
                let schema = spec.output_schema(inputs)?;
                return Ok(Arc::new(CallExec::try_new(spec, inputs.to_vec(), schema)?));
            }
            other => other,
        };
        let [input] = inputs else { return internal_err!("an operator takes one input, not {}", inputs.len()) };
        let input = Arc::clone(input);
        Ok(match kind {
            PhysicalKind::Call(_) => return internal_err!("a call was decoded above"),
            PhysicalKind::Dedup(DedupExecMessage { name, rule, id, order_by, sketch }) => {
                let order_by = order_by.into_iter().map(OrderMessage::into_index).collect();
                let rule = required(rule, "rule")?.try_into()?;
                let spec = DedupSpec { name, rule, id: id as usize, order_by, sketch: sketch as usize };
                let schema = spec.output_schema(&input.schema())?;
                Arc::new(DedupExec::try_new(spec, input, schema)?)
            }
            PhysicalKind::Components(ComponentsExecMessage { source, target }) => {
                let (source, target) = (source as usize, target as usize);
                let schema = ComponentsExec::output_schema(source, &input.schema())?;
                Arc::new(ComponentsExec::try_new(source, target, input, schema)?)
            }
            PhysicalKind::Sketch(SketchExecMessage { sketch, column }) => {
                let sketch = required(sketch, "sketch")?.try_into()?;
                Arc::new(SketchExec::try_new(sketch, column as usize, input)?)
            }
            PhysicalKind::Analysis(AnalysisExecMessage { columns, analysis }) => {
                let columns = columns.into_iter().map(|column| column as usize).collect();
                Arc::new(AnalysisExec::try_new(required(analysis, "analysis")?, columns, input)?)
            }
            PhysicalKind::Materialize(MaterializeMessage {}) => Arc::new(MaterializeExec::new(input)),
        })
    }

    fn try_decode_udf(&self, name: &str, buf: &[u8]) -> Result<Arc<ScalarUDF>> {
        self.others.try_decode_udf(name, buf)
    }

    fn try_encode_udf(&self, node: &ScalarUDF, buf: &mut Vec<u8>) -> Result<()> {
        self.others.try_encode_udf(node, buf)
    }

    fn try_decode_expr(
        &self,
        buf: &[u8],
        inputs: &[Arc<dyn PhysicalExpr>],
        ctx: &datafusion::physical_expr_common::physical_expr::proto_decode::PhysicalExprDecodeCtx<'_>,
    ) -> Result<Arc<dyn PhysicalExpr>> {
        self.others.try_decode_expr(buf, inputs, ctx)
    }

    fn try_encode_expr(
        &self,
        node: &Arc<dyn PhysicalExpr>,
        buf: &mut Vec<u8>,
        ctx: &datafusion::physical_expr_common::physical_expr::proto_encode::PhysicalExprEncodeCtx<'_>,
    ) -> Result<()> {
        self.others.try_encode_expr(node, buf, ctx)
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

//! Serialization of physical nodes, which the scheduler sends to the executors.

use std::sync::Arc;

use datafusion::common::{Result, internal_err};
use datafusion::execution::TaskContext;
use datafusion::logical_expr::{AggregateUDF, ScalarUDF, WindowUDF};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::ExecutionPlan;
use datafusion_proto::physical_plan::{PhysicalExtensionCodec, PhysicalProtoConverterExtension};

use super::messages::{ExecMessage, OrderMessage, PlacesMessage, operator, read, write};
use super::{MATERIALIZE, OPERATOR, OTHERS};
use crate::operators::frame::exec::{OperatorExec, OperatorSpec};
use crate::operators::frame::list::Operators;
use crate::operators::frame::materialize::exec::MaterializeExec;

/// Serializes the nodes of operators, and passes all others to the wrapped codec.
#[derive(Debug)]
pub struct OperatorPhysicalCodec {
    /// The operators whose nodes can be decoded.
    pub operators: Operators,
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
        if let Some(node) = node.downcast_ref::<OperatorExec>() {
            let OperatorSpec { operator, columns, order_by } = &node.spec;
            let places = |list: &Vec<usize>| PlacesMessage { columns: list.iter().map(|c| *c as u64).collect() };
            let message = ExecMessage {
                name: operator.name().to_owned(),
                parameters: operator.parameters().to_owned(),
                columns: columns.iter().map(places).collect(),
                order_by: order_by.iter().map(OrderMessage::from_index).collect(),
            };
            return write(OPERATOR, &message, buf);
        }
        if node.is::<MaterializeExec>() {
            buf.push(MATERIALIZE);
            return Ok(());
        }
        buf.push(OTHERS);
        self.others.try_encode(node, buf, converter)
    }

    fn try_decode(
        &self,
        buf: &[u8],
        inputs: &[Arc<dyn ExecutionPlan>],
        ctx: &TaskContext,
        converter: &dyn PhysicalProtoConverterExtension,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match (buf.split_first(), inputs) {
            (Some((&OTHERS, message)), _) => self.others.try_decode(message, inputs, ctx, converter),
            (Some((&OPERATOR, message)), _) => {
                let ExecMessage { name, parameters, columns, order_by } = read(message)?;
                let columns = columns.iter().map(|list| list.columns.iter().map(|c| *c as usize).collect()).collect();
                let order_by = order_by.into_iter().map(OrderMessage::into_index).collect();
                let operator = operator(self.operators, &name, &parameters)?;
                let spec = OperatorSpec { operator, columns, order_by };
                Ok(Arc::new(OperatorExec::try_new(spec, inputs.to_vec())?))
            }
            (Some((&MATERIALIZE, [])), [input]) => Ok(Arc::new(MaterializeExec::new(Arc::clone(input)))),
            _ => internal_err!("a physical node of the cluster is of no known kind"),
        }
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

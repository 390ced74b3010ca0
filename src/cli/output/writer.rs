//! What writes a result.

use arrow::record_batch::RecordBatch;

use crate::cli::errors::Failure;

/// One result on its way out.
pub trait ResultWriter {
    /// Takes the next rows.
    fn write(&mut self, batch: &RecordBatch) -> Result<(), Failure>;
    /// Shows what it holds back, if it can.
    fn flush(&mut self) -> Result<(), Failure> {
        Ok(())
    }
    /// Writes what is left and the end of the format.
    fn finish(self: Box<Self>) -> Result<(), Failure>;
}

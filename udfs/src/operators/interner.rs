//! Numbers the values of a column of any primitive or text type.

use arrow::array::{Array, ArrayRef};
use arrow::datatypes::DataType;
use arrow::row::{RowConverter, SortField};
use datafusion::common::{Result, exec_err};
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use hashbrown::HashMap;

/// The type in which a column is returned: a dictionary becomes the type of its values.
pub fn plain(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Dictionary(_, value) => plain(value),
        other => other.clone(),
    }
}

/// Bytes per value in the map, in addition to the value.
const ENTRY: usize = 80;

/// Values numbered in arrival order.
pub struct Names {
    operator: &'static str,
    column: String,
    converter: RowConverter,
    numbers: HashMap<Box<[u8]>, u32>,
    memory: MemoryReservation,
}

impl Names {
    /// Creates an empty interner for `column` of type `data_type`.
    pub fn try_new(
        operator: &'static str,
        column: String,
        data_type: &DataType,
        context: &TaskContext,
    ) -> Result<Self> {
        let converter = RowConverter::new(vec![SortField::new(data_type.clone())])?;
        let memory = MemoryConsumer::new(format!("names of {operator}")).register(context.memory_pool());
        Ok(Self { operator, column, converter, numbers: HashMap::new(), memory })
    }

    /// Returns the number of every value of a batch; NULL is an error.
    pub fn number(&mut self, values: &ArrayRef) -> Result<Vec<u32>> {
        if values.null_count() > 0 {
            return exec_err!(
                "{}: column `{}` has {} NULL in a batch",
                self.operator,
                self.column,
                values.null_count()
            );
        }
        let rows = self.converter.convert_columns(std::slice::from_ref(values))?;
        let mut found = Vec::with_capacity(values.len());
        for row in &rows {
            let next = self.numbers.len() as u32;
            found.push(match self.numbers.get(row.as_ref()) {
                Some(number) => *number,
                None => {
                    self.memory.try_grow(ENTRY + row.as_ref().len())?;
                    self.numbers.insert(row.as_ref().into(), next);
                    next
                }
            });
        }
        Ok(found)
    }

    /// Returns the values in ascending order, and the position of each number among them.
    pub fn finish(self) -> SortedNames {
        let mut sorted: Vec<(Box<[u8]>, u32)> = self.numbers.into_iter().collect();
        sorted.sort_unstable();
        let mut places = vec![0; sorted.len()];
        for (place, (_, number)) in sorted.iter().enumerate() {
            places[*number as usize] = place as u32;
        }
        let values = sorted.into_iter().map(|(value, _)| value).collect();
        SortedNames { places, values, converter: self.converter, _memory: self.memory }
    }
}

/// Values in ascending order.
pub struct SortedNames {
    places: Vec<u32>,
    values: Vec<Box<[u8]>>,
    converter: RowConverter,
    _memory: MemoryReservation,
}

impl SortedNames {
    /// Number of values.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The position of a number in ascending order of values.
    pub fn place(&self, number: u32) -> u32 {
        self.places[number as usize]
    }

    /// The values at some positions, as a column.
    pub fn column(&self, places: impl Iterator<Item = usize>) -> Result<ArrayRef> {
        let parser = self.converter.parser();
        let rows = places.map(|place| parser.parse(&self.values[place]));
        Ok(self.converter.convert_rows(rows)?.remove(0))
    }
}

//! `string_to_array(text, delimiter)`: DataFusion's function, with a fast path for a delimiter that is the same in all rows.
//!
//! Parts of up to 12 bytes are built in one step rather than byte by byte, and longer ones are copied at once. All other
//! calls use DataFusion's implementation.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, StringViewArray, make_view};
use arrow::buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Field};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};

/// Size of a buffer of long parts, in bytes.
const BLOCK: usize = 1 << 20;

/// Maximum number of bytes that are stored inline in a view.
const INLINE: usize = 12;

/// DataFusion's function with a fast path for a single delimiter.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct StringToArray {
    plain: Arc<ScalarUDF>,
}

impl StringToArray {
    /// Wraps DataFusion's function `plain`.
    pub fn new(plain: Arc<ScalarUDF>) -> Self {
        Self { plain }
    }
}

impl ScalarUDFImpl for StringToArray {
    fn name(&self) -> &str {
        self.plain.name()
    }

    fn aliases(&self) -> &[String] {
        self.plain.aliases()
    }

    fn signature(&self) -> &Signature {
        self.plain.signature()
    }

    fn return_type(&self, given: &[DataType]) -> Result<DataType> {
        self.plain.return_type(given)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<Arc<Field>> {
        self.plain.return_field_from_args(args)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        if let [ColumnarValue::Array(texts), ColumnarValue::Scalar(delimiter)] = args.args.as_slice()
            && *texts.data_type() == DataType::Utf8View
            && let Some(Some(delimiter)) = delimiter.try_as_str()
            && !delimiter.is_empty()
        {
            return Ok(ColumnarValue::Array(split(texts.as_string_view(), delimiter)?));
        }
        self.plain.invoke_with_args(args)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.plain.documentation()
    }
}

/// Splits each text into its parts; an empty text has none.
fn split(texts: &StringViewArray, delimiter: &str) -> Result<ArrayRef> {
    let mut parts = Parts::default();
    let mut ends = Vec::with_capacity(texts.len() + 1);
    ends.push(0);
    let finder = memchr::memmem::Finder::new(delimiter);
    for text in texts {
        if let Some(text) = text.map(str::as_bytes).filter(|text| !text.is_empty()) {
            match *delimiter.as_bytes() {
                [byte] => parts.add_all(text, memchr::memchr_iter(byte, text), 1),
                _ => parts.add_all(text, finder.find_iter(text), delimiter.len()),
            }
        }
        let Ok(end) = i32::try_from(parts.views.len()) else {
            return exec_err!("string_to_array: a batch has more than {} parts; use a smaller --batch-size", i32::MAX);
        };
        ends.push(end);
    }
    let field = Arc::new(Field::new_list_field(DataType::Utf8View, true));
    let ends = OffsetBuffer::new(ScalarBuffer::from(ends));
    Ok(Arc::new(ListArray::try_new(field, ends, Arc::new(parts.finish()), texts.nulls().cloned())?))
}

/// Parts of texts, as views.
#[derive(Default)]
struct Parts {
    views: Vec<u128>,
    /// Full buffers of long parts, and the one being filled.
    full: Vec<Buffer>,
    block: Vec<u8>,
}

impl Parts {
    /// Adds the parts before, between and after the delimiters of `width` bytes at `places`.
    fn add_all(&mut self, text: &[u8], places: impl Iterator<Item = usize>, width: usize) {
        let mut start = 0;
        for place in places {
            self.add(text, start, place);
            start = place + width;
        }
        self.add(text, start, text.len());
    }

    #[inline]
    fn add(&mut self, text: &[u8], start: usize, end: usize) {
        let length = end - start;
        let view = match text.get(start..start + 16).and_then(|bytes| <[u8; 16]>::try_from(bytes).ok()) {
            // Combine the length with the following bytes, and clear those beyond the part.
            Some(bytes) if length <= INLINE => {
                let kept = u128::from_le_bytes(bytes) & ((1 << (8 * length)) - 1);
                kept << 32 | length as u128
            }
            _ => self.other(&text[start..end]),
        };
        self.views.push(view);
    }

    /// The view of a part that is long or at the end of its text.
    fn other(&mut self, part: &[u8]) -> u128 {
        if part.len() <= INLINE {
            return make_view(part, 0, 0);
        }
        if self.block.len() + part.len() > self.block.capacity() {
            self.close();
            self.block.reserve(part.len().max(BLOCK));
        }
        let start = self.block.len();
        self.block.extend_from_slice(part);
        make_view(part, self.full.len() as u32, start as u32)
    }

    fn close(&mut self) {
        if !self.block.is_empty() {
            self.full.push(Buffer::from_vec(std::mem::take(&mut self.block)));
        }
    }

    fn finish(mut self) -> StringViewArray {
        self.close();
        // SAFETY: each view holds the length of a part and either its bytes or its position in the buffer that was being
        // filled, which was later closed under the same number. Parts are valid UTF-8, because they lie between positions of
        // a text at which the delimiter, itself UTF-8, begins or ends.
        unsafe { StringViewArray::new_unchecked(ScalarBuffer::from(self.views), self.full, None) }
    }
}

#[cfg(test)]
mod tests {
    use datafusion::common::ScalarValue;
    use datafusion::config::ConfigOptions;
    use datafusion::functions_nested::string::string_to_array_udf;
    use proptest::prelude::*;

    use super::*;

    fn call(function: &ScalarUDF, texts: &StringViewArray, delimiter: &str) -> ArrayRef {
        let list = DataType::new_list(DataType::Utf8View, true);
        let args = ScalarFunctionArgs {
            args: vec![
                ColumnarValue::Array(Arc::new(texts.clone())),
                ColumnarValue::Scalar(ScalarValue::from(delimiter)),
            ],
            arg_fields: vec![
                Arc::new(Field::new("text", DataType::Utf8View, true)),
                Arc::new(Field::new("delimiter", DataType::Utf8, true)),
            ],
            number_rows: texts.len(),
            return_field: Arc::new(Field::new("parts", list, true)),
            config_options: Arc::new(ConfigOptions::default()),
        };
        function.invoke_with_args(args).unwrap().into_array(texts.len()).unwrap()
    }

    fn check(texts: Vec<Option<String>>, delimiter: &str) {
        let texts = StringViewArray::from_iter(texts);
        let plain = string_to_array_udf();
        let ours = ScalarUDF::from(StringToArray::new(Arc::clone(&plain)));
        let (expected, found) = (call(&plain, &texts, delimiter), call(&ours, &texts, delimiter));
        assert_eq!(&found, &expected, "{delimiter:?}");
        found.to_data().validate_full().unwrap();
    }

    #[test]
    fn long_parts_fill_several_buffers() {
        let texts = (0..50).map(|i| Some(format!("{} x {}", "word".repeat(9000 + i), "é".repeat(20_000))));
        check(texts.chain([None, Some(String::new()), Some("y".repeat(3 << 20))]).collect(), " ");
    }

    proptest! {
        #[test]
        fn parts_are_those_of_datafusion(
            texts in prop::collection::vec(prop::option::of("[ab,é€ ]{0,60}|[a-z]{0,20}( [a-z]{0,17}){0,9}"), 0..20),
            delimiter in prop::sample::select(vec![" ", ",", "é", "ab", ", ", "a", "zz"]),
        ) {
            check(texts, delimiter);
        }
    }
}

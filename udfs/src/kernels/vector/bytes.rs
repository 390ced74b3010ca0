//! Vectors as bytes.

/// Replaces the contents of `out` by the little-endian bytes of the values. O(d).
pub fn little_endian(values: &[f32], out: &mut Vec<u8>) {
    out.resize(size_of_val(values), 0);
    out.as_chunks_mut().0.iter_mut().zip(values).for_each(|(bytes, value)| *bytes = value.to_le_bytes());
}

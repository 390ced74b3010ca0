//! Converts images to the pixels that a model reads: decodes, resizes, crops and normalises them.
//!
//! Resizing follows Pillow, and torchvision with `antialias`: each pixel is a mean of the larger image, weighted by a filter
//! as wide as the scale.

use std::io::Cursor;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;
use zune_png::PngDecoder;

use crate::folder::{Filter, ImageSettings};

/// Maximum number of pixels in an image: a file of a few bytes can claim billions.
const PIXELS: usize = 100_000_000;

/// Rows of pixels with three bytes each.
#[derive(Debug, PartialEq)]
struct Rgb {
    width: usize,
    height: usize,
    bytes: Vec<u8>,
}

/// Returns the three channels of an image, concatenated, with `crop` x `crop` numbers each.
pub fn pixels(file: &[u8], settings: &ImageSettings) -> Result<Vec<f32>, String> {
    let image =
        catch_unwind(AssertUnwindSafe(|| decode(file))).unwrap_or_else(|_| Err("it cannot be decoded".to_owned()))?;
    Ok(prepare(&image, settings))
}

fn decode(file: &[u8]) -> Result<Rgb, String> {
    let options = DecoderOptions::new_safe()
        .set_max_width(1 << 16)
        .set_max_height(1 << 16)
        .inflate_set_limit(8 * PIXELS)
        .png_set_strip_to_8bit(true)
        .png_set_add_alpha_channel(false)
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    if file.starts_with(b"\x89PNG") {
        png(file, options)
    } else if file.starts_with(b"\xff\xd8") {
        jpeg(file, options)
    } else {
        let start: Vec<String> = file.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        Err(format!("it is neither PNG nor JPEG: it begins with the bytes {}", start.join(" ")))
    }
}

fn small(dimensions: Option<(usize, usize)>) -> Result<(usize, usize), String> {
    match dimensions {
        Some((width, height)) if width == 0 || height == 0 => Err("it has no pixel".to_owned()),
        Some((width, height)) if width.saturating_mul(height) > PIXELS => {
            Err(format!("it has {width} x {height} pixels; at most {PIXELS} are read"))
        }
        Some(found) => Ok(found),
        None => Err("it has no size".to_owned()),
    }
}

fn png(file: &[u8], options: DecoderOptions) -> Result<Rgb, String> {
    let mut decoder = PngDecoder::new_with_options(Cursor::new(file), options);
    decoder.decode_headers().map_err(|error| format!("not a PNG that can be read: {error:?}"))?;
    let (width, height) = small(decoder.dimensions())?;
    let bytes = decoder.decode_raw().map_err(|error| format!("not a PNG that can be read: {error:?}"))?;
    let channels = decoder.colorspace().map_or(0, |space| space.num_components());
    rgb(width, height, channels, &bytes)
}

fn jpeg(file: &[u8], options: DecoderOptions) -> Result<Rgb, String> {
    let mut decoder = JpegDecoder::new_with_options(Cursor::new(file), options);
    decoder.decode_headers().map_err(|error| format!("not a JPEG that can be read: {error:?}"))?;
    let (width, height) = small(decoder.info().map(|info| (info.width.into(), info.height.into())))?;
    let bytes = decoder.decode().map_err(|error| format!("not a JPEG that can be read: {error:?}"))?;
    let channels = decoder.output_colorspace().map_or(0, |space| space.num_components());
    rgb(width, height, channels, &bytes)
}

/// Converts to RGB. Grey becomes three equal channels; an alpha channel is dropped.
fn rgb(width: usize, height: usize, channels: usize, bytes: &[u8]) -> Result<Rgb, String> {
    if !(1..=4).contains(&channels) || bytes.len() != width * height * channels {
        return Err(format!("{} bytes for {width} x {height} pixels", bytes.len()));
    }
    let bytes = match channels {
        3 => bytes.to_vec(),
        4 => bytes.chunks_exact(4).flat_map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect(),
        _ => bytes.chunks_exact(channels).flat_map(|pixel| [pixel[0]; 3]).collect(),
    };
    Ok(Rgb { width, height, bytes })
}

fn prepare(image: &Rgb, settings: &ImageSettings) -> Vec<f32> {
    let ImageSettings { resize, crop, mean, std, filter } = settings;
    let (short, long) = (image.width.min(image.height), image.width.max(image.height));
    let longer = resize * long / short;
    let (width, height) = if image.width <= image.height { (*resize, longer) } else { (longer, *resize) };
    // Compute only what the crop keeps.
    let across = weights(image.width, width, middle(width, *crop), *filter);
    let down = weights(image.height, height, middle(height, *crop), *filter);
    let rows = down.first().map_or(0, |(start, _)| *start)..down.last().map_or(0, |(start, w)| start + w.len());
    let mut narrow = Vec::with_capacity(rows.len() * crop * 3);
    for row in rows.clone() {
        let row = &image.bytes[row * image.width * 3..(row + 1) * image.width * 3];
        for (start, weights) in &across {
            let mut sums = [0.0f32; 3];
            for (pixel, weight) in row[start * 3..].chunks_exact(3).zip(weights) {
                for (sum, value) in sums.iter_mut().zip(pixel) {
                    *sum += weight * f32::from(*value);
                }
            }
            narrow.extend(sums);
        }
    }
    let mut channels = vec![0.0; 3 * crop * crop];
    for (y, (start, weights)) in down.iter().enumerate() {
        for x in 0..*crop {
            for channel in 0..3 {
                let mut sum = 0.0;
                for (row, weight) in weights.iter().enumerate() {
                    sum += weight * narrow[((start + row - rows.start) * crop + x) * 3 + channel];
                }
                // A cubic filter overshoots at edges; clamp as for bytes.
                let value = sum.round().clamp(0.0, 255.0) / 255.0;
                channels[(channel * crop + y) * crop + x] = (value - mean[channel]) / std[channel];
            }
        }
    }
    channels
}

fn middle(size: usize, crop: usize) -> Range<usize> {
    let start = (size - crop.min(size)).div_ceil(2);
    start..start + crop.min(size)
}

/// For each wanted position of `size`, the first of the `from` source positions and the weights from there on.
fn weights(from: usize, size: usize, wanted: Range<usize>, filter: Filter) -> Vec<(usize, Vec<f32>)> {
    let scale = from as f64 / size as f64;
    let wide = scale.max(1.0);
    let support = wide * if filter == Filter::Bilinear { 1.0 } else { 2.0 };
    let weight = |x: f64| match (filter, x.abs()) {
        (Filter::Bilinear, x) => (1.0 - x).max(0.0),
        (Filter::Bicubic, x) if x < 1.0 => (1.5 * x - 2.5) * x * x + 1.0,
        (Filter::Bicubic, x) if x < 2.0 => ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0,
        (Filter::Bicubic, _) => 0.0,
    };
    let places = wanted.map(|place| {
        let center = (place as f64 + 0.5) * scale;
        let start = (center - support + 0.5).max(0.0) as usize;
        let end = ((center + support + 0.5) as usize).min(from).max(start + 1);
        let weights: Vec<f64> = (start..end).map(|at| weight((at as f64 - center + 0.5) / wide)).collect();
        let sum: f64 = weights.iter().sum();
        (start, weights.into_iter().map(|weight| (weight / sum) as f32).collect())
    });
    places.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(resize: usize, crop: usize, filter: Filter) -> ImageSettings {
        ImageSettings { resize, crop, mean: [0.5; 3], std: [0.5; 3], filter }
    }

    /// A PNG of 2 x 1 pixels: red, blue.
    const PNG: &[u8] = &[
        137, 80, 78, 71, 13, 10, 26, 10, 0, 0, 0, 13, 73, 72, 68, 82, 0, 0, 0, 2, 0, 0, 0, 1, 8, 2, 0, 0, 0, 123, 64,
        232, 221, 0, 0, 0, 13, 73, 68, 65, 84, 120, 156, 99, 248, 207, 0, 4, 255, 1, 7, 0, 1, 255, 226, 35, 158, 89, 0,
        0, 0, 0, 73, 69, 78, 68, 174, 66, 96, 130,
    ];

    #[test]
    fn a_png_becomes_channels() {
        let image = decode(PNG).unwrap();
        assert_eq!(image, Rgb { width: 2, height: 1, bytes: vec![255, 0, 0, 0, 0, 255] });
        // The centre crop of an image with the same colours is the second pixel, by torchvision's rule for odd margins.
        let channels = pixels(PNG, &settings(1, 1, Filter::Bilinear)).unwrap();
        assert_eq!(channels.len(), 3);
    }

    #[test]
    fn one_colour_stays_one_colour() {
        let image = Rgb { width: 37, height: 23, bytes: [10, 200, 30].repeat(37 * 23) };
        for filter in [Filter::Bilinear, Filter::Bicubic] {
            for (resize, crop) in [(16, 16), (23, 11), (64, 50)] {
                let channels = prepare(&image, &settings(resize, crop, filter));
                assert_eq!(channels.len(), 3 * crop * crop);
                for (channel, value) in [(0, 10.0f32), (1, 200.0), (2, 30.0)] {
                    let expected = (value / 255.0 - 0.5) / 0.5;
                    let part = &channels[channel * crop * crop..(channel + 1) * crop * crop];
                    assert!(part.iter().all(|value| (value - expected).abs() < 1e-6));
                }
            }
        }
    }

    #[test]
    fn the_same_size_is_the_same_image() {
        let bytes: Vec<u8> = (0..8 * 8 * 3).map(|i| (i * 7 % 256) as u8).collect();
        let image = Rgb { width: 8, height: 8, bytes: bytes.clone() };
        let channels = prepare(&image, &settings(8, 8, Filter::Bicubic));
        for (at, byte) in bytes.iter().enumerate() {
            let (pixel, channel) = (at / 3, at % 3);
            assert!((channels[channel * 64 + pixel] - (f32::from(*byte) / 255.0 - 0.5) / 0.5).abs() < 1e-6);
        }
    }

    #[test]
    fn bytes_that_are_no_image_are_an_error() {
        for wrong in [&b""[..], b"GIF89a", b"\x89PNG", b"\xff\xd8\xff", &PNG[..40]] {
            assert!(pixels(wrong, &settings(1, 1, Filter::Bilinear)).is_err(), "{wrong:?}");
        }
        let mut huge = PNG.to_vec();
        huge[16..24].copy_from_slice(&[0, 0, 255, 255, 0, 0, 255, 255]);
        assert!(pixels(&huge, &settings(1, 1, Filter::Bilinear)).is_err());
    }
}

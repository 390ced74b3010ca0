//! Checks the inputs and outputs of a model against its settings.

use ort::session::Session;
use ort::value::{Outlet, TensorElementType, ValueType};

use crate::folder::{Modality, Pooling, Settings};

#[derive(Debug)]
pub struct Feed {
    pub name: String,
    pub kind: FeedKind,
    pub element: TensorElementType,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeedKind {
    Ids,
    Mask,
    Types,
    Positions,
    Pixels,
}

/// The inputs to feed, each with its kind of data.
pub fn feeds(session: &Session, settings: &Settings) -> Result<Vec<Feed>, String> {
    let (mut feeds, modality) = (vec![], settings.modality);
    for input in session.inputs() {
        let kind = match (modality, input.name()) {
            (Modality::Image, _) if session.inputs().len() == 1 => FeedKind::Pixels,
            (Modality::Image, "pixel_values") => FeedKind::Pixels,
            (Modality::Text | Modality::Causal, "input_ids") => FeedKind::Ids,
            (Modality::Text | Modality::Causal, "attention_mask") => FeedKind::Mask,
            (Modality::Text | Modality::Causal, "token_type_ids") => FeedKind::Types,
            (Modality::Text | Modality::Causal, "position_ids") => FeedKind::Positions,
            (Modality::Image, name) => {
                return Err(format!("it has the input '{name}'; an encoder of images has pixel_values"));
            }
            (_, name) => {
                return Err(format!(
                    "it has the input '{name}'; a model for texts has input_ids, attention_mask, token_type_ids or position_ids"
                ));
            }
        };
        let ValueType::Tensor { ty: element, shape, .. } = input.dtype() else {
            return Err(format!("its input '{}' is no tensor", input.name()));
        };
        takes(kind, *element, shape, settings).map_err(|message| format!("its input '{}' {message}", input.name()))?;
        feeds.push(Feed { name: input.name().to_owned(), kind, element: *element });
    }
    let main = if modality == Modality::Image { FeedKind::Pixels } else { FeedKind::Ids };
    let needed = if modality == Modality::Image { "pixel_values" } else { "input_ids" };
    match feeds.iter().find(|feed| feed.kind == main) {
        Some(_) => Ok(feeds),
        None => Err(format!("it has no input '{needed}'")),
    }
}

/// Returns an error unless an input accepts what it will be fed. Negative dimensions are free.
fn takes(kind: FeedKind, element: TensorElementType, shape: &[i64], settings: &Settings) -> Result<(), String> {
    use TensorElementType::{Float16, Float32, Int32, Int64};
    let free = |at: usize, size: usize| shape.get(at).is_none_or(|&dim| dim < 0 || usize::try_from(dim) == Ok(size));
    let dims =
        shape.iter().map(|dim| if *dim < 0 { "?".to_owned() } else { dim.to_string() }).collect::<Vec<_>>().join(" x ");
    if kind == FeedKind::Pixels {
        if !matches!(element, Float32 | Float16) {
            return Err(format!("is a tensor of {element}; needed are floats"));
        }
        let crop = settings.image.as_ref().map_or(0, |image| image.crop);
        let fits = shape.is_empty() || (shape.len() == 4 && free(1, 3) && free(2, crop) && free(3, crop));
        return if fits {
            Ok(())
        } else {
            Err(format!("takes {dims}, and model.toml gives rows x 3 x {crop} x {crop}"))
        };
    }
    if !matches!(element, Int32 | Int64) {
        return Err(format!("is a tensor of {element}; needed are 32 or 64-bit integers"));
    }
    let fits = shape.is_empty() || (shape.len() == 2 && free(0, 1) && shape[1] < 0);
    if fits { Ok(()) } else { Err(format!("takes {dims}; needed is rows x tokens, with any number of tokens")) }
}

/// The output to read.
pub fn output<'a>(session: &'a Session, settings: &Settings) -> Result<&'a Outlet, String> {
    let outputs = session.outputs();
    let names = || outputs.iter().map(|output| output.name()).collect::<Vec<_>>().join(", ");
    let usual: &[&str] = match (&settings.output, settings.modality, settings.pooling) {
        (Some(name), ..) => &[name.as_str()],
        (None, Modality::Causal, _) => &["logits"],
        (None, Modality::Text, Pooling::None) => &["sentence_embedding", "pooler_output"],
        (None, Modality::Image, Pooling::None) => &["image_embeds", "pooler_output"],
        (None, ..) => &["last_hidden_state", "token_embeddings"],
    };
    let found = usual.iter().find_map(|name| outputs.iter().find(|output| output.name() == *name));
    let only = if settings.output.is_none() && outputs.len() == 1 { outputs.first() } else { None };
    let Some(output) = found.or(only) else {
        return Err(format!(
            "it has no output '{}', but {}; name one as `output` in model.toml",
            usual.join("' or '"),
            names()
        ));
    };
    let needed = if settings.modality != Modality::Causal && settings.pooling == Pooling::None { 2 } else { 3 };
    match output.dtype() {
        ValueType::Tensor { ty: TensorElementType::Float32 | TensorElementType::Float16, shape, .. }
            if shape.is_empty() || shape.len() == needed =>
        {
            Ok(output)
        }
        ValueType::Tensor { shape, .. } if shape.len() == 2 && needed == 3 => Err(format!(
            "its output '{}' has two dimensions, a vector a row; set pooling = \"none\" in model.toml or name another output of {}",
            output.name(),
            names()
        )),
        ValueType::Tensor { ty, shape, .. } => Err(format!(
            "its output '{}' is a tensor of {ty} with {} dimensions; needed are floats with {needed}",
            output.name(),
            shape.len()
        )),
        _ => Err(format!("its output '{}' is no tensor", output.name())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_that_take_something_else_are_refused() {
        use TensorElementType::{Float16, Float32, Int32, Int64};
        let mut settings = Settings::text_encoder();
        let text = |element, shape: &[i64]| takes(FeedKind::Mask, element, shape, &settings);
        for (element, shape) in [(Int64, &[-1, -1][..]), (Int32, &[1, -1]), (Int64, &[])] {
            text(element, shape).unwrap();
        }
        assert!(text(Float32, &[-1, -1]).unwrap_err().contains("integers"));
        assert!(text(Int64, &[1, 128]).unwrap_err().contains("takes 1 x 128"));
        assert!(text(Int64, &[2, -1]).is_err() && text(Int64, &[-1, -1, -1]).is_err());
        let (mean, std, filter) = ([0.0; 3], [1.0; 3], crate::folder::Filter::Bilinear);
        settings.image = Some(crate::folder::ImageSettings { resize: 9, crop: 8, mean, std, filter });
        let image = |element, shape: &[i64]| takes(FeedKind::Pixels, element, shape, &settings);
        image(Float16, &[-1, 3, 8, 8]).unwrap();
        image(Float32, &[-1, -1, -1, -1]).unwrap();
        assert!(image(Float32, &[-1, 3, 9, 9]).unwrap_err().contains("rows x 3 x 8 x 8"));
        assert!(image(Int64, &[-1, 3, 8, 8]).is_err() && image(Float32, &[-1, 8, 8, 3]).is_err());
    }
}

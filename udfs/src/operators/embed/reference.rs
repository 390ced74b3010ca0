//! Arguments and reference entry of `embed`.

use crate::operators::frame::argument::{Argument, Default};
use crate::operators::frame::documentation::Reference;

/// Declarations of the arguments.
pub(super) const ARGUMENTS: &[Argument] = &[
    Argument::column("text", "text", "The text. NULL gives NULL."),
    Argument::optional_column("image", "The image, in place of `text`: the bytes of a PNG or JPEG file."),
    Argument::text(
        "model",
        Default::Computed("'static' for texts; required for images"),
        "The name of a model, or the path of its folder.",
    ),
    Argument::text("device", Default::Word("cpu"), "'cpu', 'cuda:N', 'tensorrt:N', 'coreml' or 'directml:N'."),
    Argument::text(
        "prompt",
        Default::Computed("that of the model"),
        "The name of a prompt of the model, such as 'query', which is put before each text.",
    ),
    Argument::text(
        "cache",
        Default::Computed("`limpid.embedding_cache`"),
        "The folder in which vectors are kept; '' for none. Vectors are told apart by the hashes of the model, of the settings that change a vector, and of the content. Several processes can share the folder.",
    ),
    Argument::text("output", Default::Word("embedding"), "The name of the added column."),
];

/// The entry in the SQL reference.
pub(super) const REFERENCE: Reference = Reference {
    summary: "Adds the vector of the text or image of each row, computed by an encoder.",
    details: "It does for whole lakes what `embed_text` and `embed_image` do in expressions, with the same vectors. \
              Rows stream in chunks. On a GPU the texts of all partitions and queries run together, texts of similar \
              length in one batch; on the CPU each runs alone. With `cache` every vector is kept and no content is \
              embedded twice, in this query or another: a query that ended early goes on where it stopped, except for \
              the last ten seconds.\n\n\
              Metrics: `cached_rows` (rows whose vector was in the cache), `tokens` (that the model read), \
              `texts_without_vector` (that the model does not know, and that got NULL) and `model_time`.",
    columns: &[("embedding", "A fixed-size list of 32-bit floats. `output` names it otherwise.")],
    errors: "A model that is not there, or is for other content; a column of another type; images that cannot be \
             read.",
    cost: "One chunk of rows per partition is in memory, and 40 bytes per vector of the cache.",
    example: r#"> SELECT id, arrow_typeof(embedding) AS type, embedding = embed_text(text) AS same FROM embed((SELECT * FROM (VALUES (1, 'a red apple'), (2, 'a green pear')) AS t(id, text))) ORDER BY id;
+----+------------------------------+------+
| id | type                         | same |
+----+------------------------------+------+
| 1  | FixedSizeList(192 x Float32) | true |
| 2  | FixedSizeList(192 x Float32) | true |
+----+------------------------------+------+"#,
    ..Reference::EMPTY
};

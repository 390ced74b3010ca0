//! The reference of `embed`.

use datafusion::logical_expr::Documentation;

use super::plan::NAME;
use crate::operators::docs::{INPUT, OperatorDoc, SECTION};

/// What the reference says.
pub fn documentation() -> OperatorDoc {
    let documentation = Documentation::builder(
        SECTION,
        "Adds `embedding`, the vector of each row's text or image by an encoder, a fixed-size list of 32-bit floats: for \
         whole lakes what `embed_text` and `embed_image` are for expressions, with the same vectors. Rows stream in portions; \
         what runs ahead of the model waits. On a card the texts of all partitions and queries run together, those of like \
         length in one batch; on the processor each runs alone. With `cache` every vector that was made is kept and no content \
         is embedded twice, in this query or another: a query that ended early goes on where it stopped, but for the last ten \
         seconds. Memory: a portion of rows a partition, and 40 bytes a vector of the cache. Metrics: cached_rows (rows whose \
         vector was there), tokens (that the model read), texts_without_vector (that the model does not know, and that got NULL), \
         model_time.",
        "embed(relation, text => column, model => 'NAME', cache => 'folder', ...)",
    )
    .with_sql_example(
        r#"```sql
> SELECT id, arrow_typeof(embedding) AS type, embedding = embed_text(text) AS same FROM embed((SELECT * FROM (VALUES (1, 'a red apple'), (2, 'a green pear')) AS t(id, text))) ORDER BY id;
+----+------------------------------+------+
| id | type                         | same |
+----+------------------------------+------+
| 1  | FixedSizeList(192 x Float32) | true |
| 2  | FixedSizeList(192 x Float32) | true |
+----+------------------------------+------+
```"#,
    )
    .with_argument("relation", INPUT)
    .with_argument("text", "Column of texts; `text` by default. NULL gives NULL.")
    .with_argument("image", "Column of images, the bytes of PNG or JPEG files, in place of `text`.")
    .with_argument("model", "The name of a model or the path of its folder; for texts `static` by default, or `multilingual`.")
    .with_argument("device", "`cpu` (the default), `cuda:N`, `tensorrt:N`, `coreml` or `directml:N`.")
    .with_argument(
        "prompt",
        "The name of a prompt of the model, such as 'query', which is put before each text; by default the model's own default.",
    )
    .with_argument(
        "cache",
        "Folder in which vectors are kept, told apart by the hashes of the model, of the settings that change a vector and of \
         the content; several processes may share it. By default `limpid.embedding_cache`; '' is none.",
    )
    .with_argument("output", "Name of the added column, a text; 'embedding' by default.");
    OperatorDoc { name: NAME, documentation: documentation.build() }
}

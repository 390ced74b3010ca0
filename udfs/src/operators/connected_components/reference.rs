//! Arguments and reference entry of `connected_components`.

use crate::operators::frame::argument::Argument;
use crate::operators::frame::documentation::Reference;

/// Declarations of the arguments.
pub(super) const ARGUMENTS: &[Argument] = &[
    Argument::column("source", "source", "One end of the edge."),
    Argument::column("target", "target", "The other end, of the same type."),
];

/// The entry in the SQL reference.
pub(super) const REFERENCE: Reference = Reference {
    summary: "Names the connected component of every edge.",
    details: "Every edge is kept in the result. Results do not depend on partitions or threads.",
    input: "The edges: `(SELECT ...)` or the name of a table.",
    columns: &[("component", "The smallest id that can be reached from the ends of the edge.")],
    errors: "NULL ends; ends of different types; a column `component` in the input.",
    cost: "Two sorts of the ends. Edges and ids spill to disk; 4 bytes per distinct id stay in memory.",
    example: r#"> SELECT * FROM connected_components((SELECT * FROM (VALUES (5, 3), (3, 4), (8, 9)) AS t(source, target))) ORDER BY source;
+--------+--------+-----------+
| source | target | component |
+--------+--------+-----------+
| 3      | 4      | 3         |
| 5      | 3      | 3         |
| 8      | 9      | 8         |
+--------+--------+-----------+"#,
    ..Reference::EMPTY
};

//! Reads a model's graph for the sizes of its tables and the files of its weights, before the model runs.
//!
//! A token or position beyond a table is an error with libonnxruntime, ends the process with tract, and reads arbitrary
//! memory on a GPU. The sizes are therefore taken from the file: of tables that are looked up by `input_ids`, and of tables
//! that are looked up by the position of a token. What the graph does not show remains unknown; nothing is guessed.

use std::collections::BTreeSet;
use std::path::Path;

use hashbrown::HashMap;
use prost::Message;
use prost::bytes::Bytes;

/// Maximum number of steps from a lookup back to its table. Encoder graphs need six; a file may contain anything.
const STEPS: usize = 32;

/// The number of tokens and positions for which a model has vectors, as far as its graph shows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Known {
    /// Tokens must be below this number.
    pub tokens: Option<usize>,
    /// Maximum number of tokens per run.
    pub positions: Option<usize>,
}

/// What the graph shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// Sizes of its tables.
    pub known: Known,
    /// Paths of external weight files as the graph names them, relative to the folder of the model file; each once, in order.
    pub weights: BTreeSet<String>,
}

/// Reads the graph of the model at `path`. Errors in the file are left to the runtime.
pub fn facts(path: &Path) -> Facts {
    let model = std::fs::read(path).ok().and_then(|bytes| Model::decode(Bytes::from(bytes)).ok());
    let Some(model) = model else { return Facts::default() };
    let mut weights = BTreeSet::new();
    for function in &model.functions {
        function.nodes.iter().for_each(|node| node.weights(&mut weights));
    }
    let Some(graph) = model.graph else { return Facts { known: Known::default(), weights } };
    graph.weights(&mut weights);
    Facts { known: Index::new(&graph).known(&graph), weights }
}

// The part of ONNX's protobuf messages that is needed (onnx.proto; field numbers never change). Weights are not copied.
#[derive(Clone, PartialEq, Message)]
struct Model {
    #[prost(message, optional, tag = "7")]
    graph: Option<Graph>,
    #[prost(message, repeated, tag = "25")]
    functions: Vec<Function>,
}

#[derive(Clone, PartialEq, Message)]
struct Function {
    #[prost(message, repeated, tag = "7")]
    nodes: Vec<Node>,
}

#[derive(Clone, PartialEq, Message)]
struct Graph {
    #[prost(message, repeated, tag = "1")]
    nodes: Vec<Node>,
    #[prost(message, repeated, tag = "5")]
    initializers: Vec<Tensor>,
    #[prost(message, repeated, tag = "15")]
    sparse: Vec<Sparse>,
}

#[derive(Clone, PartialEq, Message)]
struct Sparse {
    #[prost(message, optional, tag = "1")]
    values: Option<Tensor>,
    #[prost(message, optional, tag = "2")]
    indices: Option<Tensor>,
}

#[derive(Clone, PartialEq, Message)]
struct Node {
    #[prost(string, repeated, tag = "1")]
    inputs: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    outputs: Vec<String>,
    #[prost(string, tag = "4")]
    kind: String,
    #[prost(message, repeated, tag = "5")]
    attributes: Vec<Attribute>,
}

#[derive(Clone, PartialEq, Message)]
struct Attribute {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(int64, tag = "3")]
    number: i64,
    #[prost(message, optional, tag = "5")]
    tensor: Option<Tensor>,
    #[prost(message, optional, tag = "6")]
    graph: Option<Graph>,
    #[prost(message, repeated, tag = "10")]
    tensors: Vec<Tensor>,
    #[prost(message, repeated, tag = "11")]
    graphs: Vec<Graph>,
    #[prost(message, optional, tag = "22")]
    sparse: Option<Sparse>,
    #[prost(message, repeated, tag = "23")]
    sparses: Vec<Sparse>,
}

#[derive(Clone, PartialEq, Message)]
struct Tensor {
    #[prost(int64, repeated, tag = "1")]
    dims: Vec<i64>,
    #[prost(int32, tag = "2")]
    element: i32,
    #[prost(int32, repeated, tag = "5")]
    narrow: Vec<i32>,
    #[prost(int64, repeated, tag = "7")]
    wide: Vec<i64>,
    #[prost(string, tag = "8")]
    name: String,
    #[prost(bytes = "bytes", tag = "9")]
    raw: Bytes,
    #[prost(message, repeated, tag = "13")]
    external: Vec<Pair>,
    #[prost(int32, tag = "14")]
    place: i32,
}

#[derive(Clone, PartialEq, Message)]
struct Pair {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(string, tag = "2")]
    value: String,
}

/// The values of a tensor are in another file.
const EXTERNAL: i32 = 1;

impl Graph {
    fn weights(&self, files: &mut BTreeSet<String>) {
        self.initializers.iter().for_each(|tensor| tensor.weights(files));
        self.sparse.iter().for_each(|sparse| sparse.weights(files));
        self.nodes.iter().for_each(|node| node.weights(files));
    }
}

impl Node {
    fn weights(&self, files: &mut BTreeSet<String>) {
        for attribute in &self.attributes {
            attribute.tensor.iter().chain(&attribute.tensors).for_each(|tensor| tensor.weights(files));
            attribute.sparse.iter().chain(&attribute.sparses).for_each(|sparse| sparse.weights(files));
            attribute.graph.iter().chain(&attribute.graphs).for_each(|graph| graph.weights(files));
        }
    }
}

impl Sparse {
    fn weights(&self, files: &mut BTreeSet<String>) {
        self.values.iter().chain(&self.indices).for_each(|tensor| tensor.weights(files));
    }
}

const INT32: i32 = 6;
const INT64: i32 = 7;

impl Tensor {
    fn weights(&self, files: &mut BTreeSet<String>) {
        let location = self.external.iter().find(|pair| self.place == EXTERNAL && pair.key == "location");
        files.extend(location.map(|pair| pair.value.clone()));
    }

    /// The values of the tensor, if they are integers.
    fn integers(&self) -> Option<Vec<i64>> {
        let values = match self.element {
            INT64 if self.raw.is_empty() => self.wide.clone(),
            INT32 if self.raw.is_empty() => self.narrow.iter().map(|&value| value.into()).collect(),
            INT64 => self.raw.as_chunks().0.iter().map(|bytes| i64::from_le_bytes(*bytes)).collect(),
            INT32 => self.raw.as_chunks().0.iter().map(|bytes| i32::from_le_bytes(*bytes).into()).collect(),
            _ => return None,
        };
        Some(values)
    }

    /// The number of rows, if the tensor is a table.
    fn rows(&self) -> Option<i64> {
        match *self.dims {
            [rows, columns] if rows > 0 && columns > 0 && !matches!(self.element, INT32 | INT64) => Some(rows),
            _ => None,
        }
    }
}

impl Node {
    fn input(&self, at: usize) -> Option<&str> {
        self.inputs.get(at).map(String::as_str).filter(|name| !name.is_empty())
    }

    fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|attribute| attribute.name == name)
    }

    /// The inputs of a lookup along the first dimension: the table and the indices.
    fn lookup(&self) -> Option<(&str, &str)> {
        let axis = match self.kind.as_str() {
            "Gather" => "axis",
            "GatherBlockQuantized" => "gather_axis",
            _ => return None,
        };
        let first = self.attribute(axis).is_none_or(|axis| axis.number == 0);
        if first { Some((self.input(0)?, self.input(1)?)) } else { None }
    }
}

/// Maps values of a graph to their origins.
struct Index<'a> {
    constants: HashMap<&'a str, &'a Tensor>,
    makers: HashMap<&'a str, &'a Node>,
}

impl<'a> Index<'a> {
    fn new(graph: &'a Graph) -> Self {
        let mut constants: HashMap<&str, &Tensor> =
            graph.initializers.iter().map(|tensor| (tensor.name.as_str(), tensor)).collect();
        let mut makers = HashMap::new();
        for node in &graph.nodes {
            for output in &node.outputs {
                makers.insert(output.as_str(), node);
            }
            let value = node.attribute("value").and_then(|value| value.tensor.as_ref());
            if let ("Constant", Some(output), Some(tensor)) = (node.kind.as_str(), node.outputs.first(), value) {
                constants.insert(output, tensor);
            }
        }
        Self { constants, makers }
    }

    fn known(&self, graph: &'a Graph) -> Known {
        let mut known = Known::default();
        let least = |known: &mut Option<usize>, found: i64| {
            let found = usize::try_from(found).unwrap_or(0);
            *known = Some(known.map_or(found, |known| known.min(found)));
        };
        for node in &graph.nodes {
            if node.kind == "EmbedLayerNormalization" {
                let rows = |at: usize| self.table(node.input(at)?);
                rows(2).into_iter().for_each(|rows| least(&mut known.tokens, rows));
                rows(3).into_iter().for_each(|rows| least(&mut known.positions, rows));
            } else if let Some((table, looked_up)) = node.lookup() {
                let Some(rows) = self.table(table) else { continue };
                if self.is_ids(looked_up) {
                    least(&mut known.tokens, rows);
                } else if let Some(beyond) = self.last(looked_up, STEPS) {
                    // The largest position is the number of tokens plus `beyond`, and must be below the number of rows.
                    least(&mut known.positions, rows - 1 - beyond);
                }
            } else if node.kind == "Slice" && self.is_beginning(node) && self.is_of_rows(node) {
                let rows = node.input(0).and_then(|table| self.table(table));
                rows.into_iter().for_each(|rows| least(&mut known.positions, rows));
            }
        }
        known
    }

    /// Returns what `found` says about a value, or about the first value it is derived from through first inputs of nodes of
    /// these kinds.
    fn origin<T>(&self, mut name: &'a str, through: &[&str], found: impl Fn(&str) -> Option<T>) -> Option<T> {
        for _ in 0..STEPS {
            if let Some(found) = found(name) {
                return Some(found);
            }
            let node = self.makers.get(name).filter(|node| through.contains(&node.kind.as_str()))?;
            name = node.input(0)?;
        }
        None
    }

    /// The number of rows of the named table, whatever the storage type of its values.
    fn table(&self, name: &'a str) -> Option<i64> {
        let constant = |name: &str| self.constants.get(name).copied();
        self.origin(name, &["Identity", "Cast", "DequantizeLinear"], constant)?.rows()
    }

    /// Whether these are the unmodified input tokens.
    fn is_ids(&self, name: &'a str) -> bool {
        let same = ["Identity", "Cast", "Reshape", "Unsqueeze", "Squeeze", "Flatten"];
        self.origin(name, &same, |name| (name == "input_ids").then_some(())).is_some()
    }

    /// How far the largest value exceeds the number of tokens, if the values count them: -1 for 0, 1, 2, ...
    fn last(&self, name: &'a str, steps: usize) -> Option<i64> {
        if name == "position_ids" {
            return Some(-1);
        }
        let (node, steps) = (self.makers.get(name)?, steps.checked_sub(1)?);
        let from = |at: usize| self.last(node.input(at)?, steps);
        let number = |at: usize| match self.integers(node.input(at)?)?[..] {
            [number] => Some(number),
            _ => None,
        };
        match node.kind.as_str() {
            "Identity" | "Cast" | "Reshape" | "Unsqueeze" | "Squeeze" | "Expand" => from(0),
            "CumSum" => Some(0),
            // Multiplied by a mask.
            "Mul" => from(0).or_else(|| from(1)),
            "Add" => match (number(0), number(1)) {
                (_, Some(number)) => Some(from(0)? + number),
                (Some(number), _) => Some(from(1)? + number),
                _ => None,
            },
            "Sub" => Some(from(0)? - number(1)?),
            "Range" if self.follows_length(node.input(1)?) && number(0) == Some(0) => Some(-1),
            "Slice" if self.is_beginning(node) => {
                let counted = self.integers(node.input(0)?)?;
                let counts = counted.iter().zip(0..).all(|(&value, place)| value == place);
                (counts && counted.len() > 1).then_some(-1)
            }
            _ => None,
        }
    }

    fn integers(&self, name: &str) -> Option<Vec<i64>> {
        self.constants.get(name)?.integers()
    }

    /// Whether a slice starts at the first element and is as long as there are tokens.
    fn is_beginning(&self, slice: &'a Node) -> bool {
        let start = slice.input(1).and_then(|starts| self.integers(starts));
        start.is_some_and(|start| start == [0]) && slice.input(2).is_some_and(|ends| self.follows_length(ends))
    }

    /// Whether a slice is along the first dimension.
    fn is_of_rows(&self, slice: &Node) -> bool {
        slice.input(3).is_none_or(|axes| self.integers(axes).is_some_and(|axes| axes == [0]))
    }

    /// Whether the value is derived from a shape, the only way to know the number of tokens.
    fn follows_length(&self, name: &'a str) -> bool {
        let through = ["Gather", "Slice", "Identity", "Cast", "Unsqueeze", "Squeeze", "Reshape"];
        let is_shape = |name: &str| self.makers.get(name).filter(|node| node.kind == "Shape").map(drop);
        self.origin(name, &through, is_shape).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDS: &str = "input_ids";

    fn node(kind: &str, inputs: &[&str], output: &str) -> Node {
        let inputs = inputs.iter().map(|&input| input.to_owned()).collect();
        Node { kind: kind.to_owned(), inputs, outputs: vec![output.to_owned()], attributes: vec![] }
    }

    fn table(name: &str, rows: i64) -> Tensor {
        Tensor { name: name.to_owned(), dims: vec![rows, 4], element: 1, ..Tensor::default() }
    }

    fn integers(name: &str, values: &[i64]) -> Tensor {
        let raw: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let dims = vec![1, values.len() as i64];
        Tensor { name: name.to_owned(), dims, element: 7, raw: raw.into(), ..Tensor::default() }
    }

    /// Writes and reads the graph, and returns what is found.
    fn found(nodes: Vec<Node>, initializers: Vec<Tensor>) -> (Option<usize>, Option<usize>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.onnx");
        std::fs::write(
            &path,
            Model { graph: Some(Graph { nodes, initializers, sparse: vec![] }), functions: vec![] }.encode_to_vec(),
        )
        .unwrap();
        let known = facts(&path).known;
        (known.tokens, known.positions)
    }

    /// Nodes that compute the number of tokens, `length`.
    fn length() -> [Node; 2] {
        [node("Shape", &[IDS], "shape"), node("Gather", &["shape", "one"], "length")]
    }

    #[test]
    fn tables_of_tokens_are_found_however_they_are_stored() {
        let plain = found(vec![node("Gather", &["t", IDS], "rows")], vec![table("t", 30)]);
        assert_eq!(plain, (Some(30), None));
        let nodes = vec![
            node("DequantizeLinear", &["t", "scale"], "full"),
            node("Cast", &[IDS], "wide"),
            node("Gather", &["full", "wide"], "rows"),
            node("Gather", &["types", "token_type_ids"], "kinds"),
        ];
        assert_eq!(found(nodes, vec![table("t", 31), table("types", 2)]), (Some(31), None));
        let mut constant = node("Constant", &[], "t");
        constant.attributes =
            vec![Attribute { name: "value".to_owned(), tensor: Some(table("", 32)), ..Attribute::default() }];
        assert_eq!(found(vec![constant, node("Gather", &["t", IDS], "rows")], vec![]), (Some(32), None));
        let fused = node("EmbedLayerNormalization", &[IDS, "", "t", "p"], "rows");
        assert_eq!(found(vec![fused], vec![table("t", 33), table("p", 16)]), (Some(33), Some(16)));
        // A table along another dimension is not a token table.
        let mut other = node("Gather", &["t", IDS], "rows");
        other.attributes = vec![Attribute { name: "axis".to_owned(), number: 1, ..Attribute::default() }];
        assert_eq!(found(vec![other], vec![table("t", 30)]), (None, None));
    }

    #[test]
    fn tables_of_positions_are_found_as_they_are_looked_up() {
        let constants = || vec![table("p", 16), integers("zero", &[0]), integers("one", &[1]), integers("two", &[2])];
        let with = |nodes: &[Node], more: Vec<Tensor>| {
            let (_, positions) = found([&length()[..], nodes].concat(), [constants(), more].concat());
            positions
        };
        let gather = |by: &str| node("Gather", &["p", by], "rows");
        // The first rows of the table.
        assert_eq!(with(&[node("Slice", &["p", "zero", "length"], "rows")], vec![]), Some(16));
        assert_eq!(with(&[node("Slice", &["p", "one", "length"], "rows")], vec![]), None);
        assert_eq!(with(&[node("Slice", &["p", "zero", "two"], "rows")], vec![]), None);
        assert_eq!(with(&[node("Slice", &["p", "zero", "length", "zero"], "rows")], vec![]), Some(16));
        assert_eq!(with(&[node("Slice", &["p", "zero", "length", "one"], "rows")], vec![]), None);
        // Lookups by the first of 0, 1, 2, ..., as many as rows, are positions; lookups by zeros are not.
        let slice = |of: &str| node("Slice", &[of, "zero", "length"], "places");
        let counted: Vec<i64> = (0..16).collect();
        assert_eq!(with(&[slice("counted"), gather("places")], vec![integers("counted", &counted)]), Some(16));
        assert_eq!(with(&[slice("zeros"), gather("places")], vec![integers("zeros", &[0; 16])]), None);
        // Positions counted at run time, from 0 or, as in RoBERTa, from 2, after the padding index.
        let range = node("Range", &["zero", "length", "one"], "places");
        assert_eq!(with(&[range.clone(), gather("places")], vec![]), Some(16));
        let later = node("Add", &["places", "two"], "later");
        assert_eq!(with(&[range.clone(), later.clone(), gather("later")], vec![]), Some(14));
        let sums = node("CumSum", &["mask", "one"], "sums");
        let masked = node("Mul", &["sums", "mask"], "places");
        let after = node("Add", &["places", "one"], "later");
        assert_eq!(with(&[sums, masked, after, gather("later")], vec![]), Some(14));
        assert_eq!(with(&[gather("position_ids")], vec![]), Some(16));
        // Distances between positions are not positions.
        let distance = node("Sub", &["places", "places"], "distance");
        assert_eq!(with(&[range, distance, gather("distance")], vec![]), None);
    }

    #[test]
    fn a_file_that_says_nothing_or_goes_round_is_let_through() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.onnx");
        assert_eq!(facts(&path), Facts::default());
        std::fs::write(&path, "no model").unwrap();
        assert_eq!(facts(&path), Facts::default());
        let round =
            vec![node("Add", &["b", "one"], "a"), node("Identity", &["a"], "b"), node("Gather", &["t", "b"], "c")];
        assert_eq!(found(round, vec![table("t", 3), integers("one", &[1])]), (None, None));
    }

    #[test]
    fn files_of_weights_are_found_wherever_the_graph_names_them() {
        let outside = |name: &str| {
            let pair = |key: &str, value: &str| Pair { key: key.to_owned(), value: value.to_owned() };
            let external = vec![pair("offset", "0"), pair("location", name)];
            Tensor { external, place: EXTERNAL, ..Tensor::default() }
        };
        let mut constant = node("Constant", &[], "c");
        constant.attributes = vec![Attribute { tensor: Some(outside("constant.bin")), ..Attribute::default() }];
        let body = Graph { initializers: vec![outside("body.bin"), outside("w/a.bin")], ..Graph::default() };
        let mut branch = node("If", &["a"], "b");
        branch.attributes = vec![Attribute { graph: Some(body), ..Attribute::default() }];
        let inside = Tensor { external: outside("unused.bin").external, ..Tensor::default() };
        let sparse = Sparse { values: Some(outside("values.bin")), indices: None };
        let graph = Graph {
            nodes: vec![constant.clone(), branch],
            initializers: vec![outside("w/a.bin"), inside],
            sparse: vec![sparse],
        };
        let mut inner = constant;
        inner.attributes[0].tensor = Some(outside("function.bin"));
        let model = Model { graph: Some(graph), functions: vec![Function { nodes: vec![inner] }] };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.onnx");
        std::fs::write(&path, model.encode_to_vec()).unwrap();
        let found: Vec<String> = facts(&path).weights.into_iter().collect();
        assert_eq!(found, ["body.bin", "constant.bin", "function.bin", "values.bin", "w/a.bin"]);
    }
}

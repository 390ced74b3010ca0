//! Groups tables by schema and determines which schemas contain which.

use hashbrown::HashMap;

use crate::kernels::schemas::supersets;
use crate::lake::{Class, Lake, logical_type};
use crate::options::{Options, Types};

/// Tables with the same names and types.
#[derive(Debug)]
pub struct Group {
    /// Numbers of the column names, ascending.
    pub names: Vec<u32>,
    /// Numbers of the types, in the order of `names`.
    types: Vec<u32>,
    /// Position of each column in the tables.
    pub columns: Vec<u32>,
    /// The tables.
    pub tables: Vec<u32>,
}

/// All pairs of a table of one schema as child and a table of another as parent.
#[derive(Debug, Clone, Copy)]
pub struct Block {
    /// Group of the children.
    pub child: u32,
    /// Group of the parents.
    pub parent: u32,
    /// Whether the types fit.
    pub types_fit: bool,
}

/// The schema containment graph: groups of tables, and which group can contain which.
#[derive(Debug)]
pub struct SchemaGraph {
    /// The groups.
    pub groups: Vec<Group>,
    /// Column names by number.
    pub names: Vec<String>,
    /// Different sets of names.
    pub schemas: usize,
    /// Blocks of pairs whose names fit, in the order of children, then parents.
    pub blocks: Vec<Block>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Type {
    class: Class,
    logical: String,
    /// Whether the column is known to have values that exclude a pair if the parent cannot have them.
    filled: bool,
}

impl SchemaGraph {
    /// Groups the tables that have rows, and compares the groups' names.
    pub fn new(lake: &Lake, options: &Options) -> Self {
        let types = options.types;
        let mut names: Vec<String> = vec![];
        let mut name_numbers: HashMap<String, u32> = HashMap::new();
        let mut kinds: Vec<Type> = vec![];
        let mut kind_numbers: HashMap<Type, u32> = HashMap::new();
        let mut groups: Vec<Group> = vec![];
        let mut group_numbers: HashMap<Vec<(u32, u32)>, usize> = HashMap::new();
        for (at, table) in lake.tables.iter().enumerate().filter(|(_, table)| table.rows > 0) {
            let mut signature: Vec<(u32, u32, u32)> = vec![];
            for (place, column) in table.columns.iter().enumerate() {
                let name = *name_numbers.entry_ref(&*column.name).or_insert_with(|| {
                    names.push(column.name.to_string());
                    names.len() as u32 - 1
                });
                let logical = if types == Types::Strict { logical_type(&column.data_type) } else { String::new() };
                // In near-containment, some rows may be missing, so only a column without NULLs speaks for all rows.
                let filled = match options.threshold < 1.0 {
                    true => column.stats.nulls == Some(0),
                    false => column.class != Class::Null && column.stats.nulls.is_some(),
                };
                let kind = Type { class: column.class, logical, filled };
                let kind = *kind_numbers.entry(kind.clone()).or_insert_with(|| {
                    kinds.push(kind.clone());
                    kinds.len() as u32 - 1
                });
                signature.push((name, kind, place as u32));
            }
            signature.sort_unstable();
            let key: Vec<(u32, u32)> = signature.iter().map(|&(name, kind, _)| (name, kind)).collect();
            let group = *group_numbers.entry(key).or_insert_with(|| {
                groups.push(Group {
                    names: signature.iter().map(|column| column.0).collect(),
                    types: signature.iter().map(|column| column.1).collect(),
                    columns: signature.iter().map(|column| column.2).collect(),
                    tables: vec![],
                });
                groups.len() - 1
            });
            groups[group].tables.push(at as u32);
        }
        let (blocks, schemas) = blocks(&groups, &kinds, names.len(), types);
        Self { groups, names, schemas, blocks }
    }

    /// Pairs of different tables of a block.
    pub fn pairs(&self, block: &Block) -> u64 {
        let children = self.groups[block.child as usize].tables.len() as u64;
        let parents = self.groups[block.parent as usize].tables.len() as u64;
        if block.child == block.parent { children * (children - 1) } else { children * parents }
    }

    /// For each column of the child's group, its position among the parent's columns.
    pub fn places(&self, block: &Block) -> Vec<usize> {
        let (child, parent) = (&self.groups[block.child as usize].names, &self.groups[block.parent as usize].names);
        child.iter().filter_map(|name| parent.binary_search(name).ok()).collect()
    }
}

fn blocks(groups: &[Group], kinds: &[Type], columns: usize, types: Types) -> (Vec<Block>, usize) {
    let mut sets: Vec<Vec<u32>> = vec![];
    let mut members: Vec<Vec<u32>> = vec![];
    let mut numbers: HashMap<&[u32], usize> = HashMap::new();
    let mut set_of = vec![];
    for (at, group) in groups.iter().enumerate() {
        let set = *numbers.entry(&group.names).or_insert_with(|| {
            sets.push(group.names.clone());
            members.push(vec![]);
            sets.len() - 1
        });
        members[set].push(at as u32);
        set_of.push(set);
    }
    let holders = supersets(&sets, columns);
    let mut blocks = vec![];
    for (child, &set) in set_of.iter().enumerate() {
        for &parent in holders[set].iter().flat_map(|&holder| &members[holder as usize]) {
            let types_fit = fit(&groups[child], &groups[parent as usize], kinds, types);
            blocks.push(Block { child: child as u32, parent, types_fit });
        }
    }
    (blocks, sets.len())
}

/// Whether the types of all columns allow equal values. A column of NULLs fits every type unless types must be identical.
/// Only a column known to have a value requires one of the same kind.
fn fit(child: &Group, parent: &Group, kinds: &[Type], types: Types) -> bool {
    child.names.iter().zip(&child.types).all(|(name, kind)| {
        let Ok(place) = parent.names.binary_search(name) else { return false };
        let (child, parent) = (&kinds[*kind as usize], &kinds[parent.types[place] as usize]);
        match types {
            Types::Strict => child.logical == parent.logical,
            _ if !child.filled => true,
            _ if parent.class == Class::Null => false,
            Types::Text | Types::Parsed => true,
            Types::Widen => child.class == parent.class,
        }
    })
}

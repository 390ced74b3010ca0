//! No code. Cargo compiles a dependency again for each set of features asked of it, and the sets differ between
//! building, testing and the cluster feature. This crate asks for their union, so that every command of the workspace
//! shares one compilation of each heavy dependency.

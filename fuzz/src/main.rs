//! `fuzz-seeds` lists the targets; `fuzz-seeds TARGET FOLDER` writes the inputs that a target starts from into a folder.

use std::io::{Error, Result};

use limpid_fuzz::{TARGETS, seeds, target};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [] => TARGETS.iter().for_each(|target| println!("{}", target.name)),
        [name, folder] => {
            std::fs::create_dir_all(folder)?;
            for (number, bytes) in seeds(&target(name).map_err(Error::other)?)?.iter().enumerate() {
                std::fs::write(std::path::Path::new(folder).join(format!("seed-{number}")), bytes)?;
            }
        }
        _ => return Err(Error::other("usage: fuzz-seeds [TARGET FOLDER]")),
    }
    Ok(())
}

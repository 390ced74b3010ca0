//! Groups files into partitions, contiguous in file order and of nearly equal size in bytes.

use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::FileGroup;

/// Cost of opening a file, in bytes read, so that a thousand tiny files do not count as nothing.
const OPEN_COST: u64 = 16 << 10;

/// Forms at most `partitions` groups, none of them empty unless there are no files.
pub(crate) fn balanced_groups(files: Vec<PartitionedFile>, partitions: usize) -> Vec<FileGroup> {
    let weight = |file: &PartitionedFile| u128::from(file.effective_size()) + u128::from(OPEN_COST);
    let total: u128 = files.iter().map(weight).sum();
    let partitions = partitions.clamp(1, files.len().max(1));
    let mut groups: Vec<Vec<PartitionedFile>> = Vec::with_capacity(partitions);
    let mut before = 0u128;
    let mut left = files.len();
    for file in files {
        let weight = weight(&file);
        // A file belongs to the partition in which its middle falls, but no partition may starve.
        let place = (before + weight / 2) * partitions as u128 / total.max(1);
        let open = groups.len();
        let must = partitions - open >= left;
        if open == 0 || must || (place >= open as u128 && open < partitions) {
            groups.push(Vec::new());
        }
        if let Some(group) = groups.last_mut() {
            group.push(file);
        }
        before += weight;
        left -= 1;
    }
    groups.into_iter().map(FileGroup::new).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn keeps_order_and_fills(sizes in prop::collection::vec(0u64..1 << 22, 0..200), partitions in 1usize..20) {
            let files = sizes.iter().enumerate().map(|(i, &size)| PartitionedFile::new(format!("f{i}"), size)).collect();
            let groups = balanced_groups(files, partitions);
            prop_assert_eq!(groups.len(), partitions.min(sizes.len()));
            prop_assert!(groups.iter().all(|group| !group.is_empty()));
            let names: Vec<String> = groups.iter().flat_map(FileGroup::iter).map(|f| f.path().to_string()).collect();
            prop_assert_eq!(names, (0..sizes.len()).map(|i| format!("f{i}")).collect::<Vec<_>>());
        }

        #[test]
        fn no_group_is_far_above_its_share(count in 50usize..300, partitions in 1usize..8) {
            let files = (0..count).map(|i| PartitionedFile::new(format!("f{i}"), 10_000)).collect();
            let largest = balanced_groups(files, partitions).iter().map(FileGroup::len).max().unwrap();
            prop_assert!(largest <= count.div_ceil(partitions) + 1);
        }
    }
}
